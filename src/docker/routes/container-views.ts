/** What containers there are, and what is known of one. */
import { listContainers } from '../containers/list.ts';
import { downShape } from '../down-shape.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, route } from '../wire/route.ts';

async function list({ docker, query, minor }: DockerCall): Promise<DockerReply> {
  const listed = await listContainers(docker, query);
  return json(listed.map((one) => downShape(minor, 'listed container', one)));
}

export const containerViewRoutes: readonly DockerRoute[] = [route('GET', '/containers/json', list)];
