/** What images, containers and volumes take on disk. */
import { downShape } from '../down-shape.ts';
import { diskUsage } from '../system/disk-usage.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, route } from '../wire/route.ts';

/** Before it, a client got all there is. */
const WITH_TYPES = 42;

type Shapes = readonly Readonly<Record<string, unknown>>[];

async function usage({ docker, query, minor }: DockerCall): Promise<DockerReply> {
  const found = await diskUsage(docker, minor < WITH_TYPES ? [] : query.all('type'));
  const down = (shapes: unknown, subject: 'listed image' | 'listed container'): unknown =>
    shapes === null ? null : (shapes as Shapes).map((shape) => downShape(minor, subject, shape));
  return json({
    ...found,
    Images: down(found.Images, 'listed image'),
    Containers: down(found.Containers, 'listed container'),
  });
}

export const diskUsageRoutes: readonly DockerRoute[] = [route('GET', '/system/df', usage)];
