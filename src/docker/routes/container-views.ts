/** What containers there are, and what is known of one. */
import { inspectContainer } from '../containers/inspect.ts';
import { listContainers } from '../containers/list.ts';
import { downShape } from '../down-shape.ts';
import { findContainer } from '../lookup.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';

async function list({ docker, query, minor }: DockerCall): Promise<DockerReply> {
  const listed = await listContainers(docker, query);
  return json(listed.map((one) => downShape(minor, 'listed container', one)));
}

async function inspect(call: DockerCall): Promise<DockerReply> {
  const { docker, query, minor } = call;
  const record = findContainer(docker.containers, param(call, 'id'));
  return json(downShape(minor, 'container', await inspectContainer(docker, record, query.flag('size'))));
}

export const containerViewRoutes: readonly DockerRoute[] = [
  route('GET', '/containers/json', list),
  route('GET', '/containers/{id}/json', inspect),
];
