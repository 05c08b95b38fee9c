/** What volumes there are, and what is known of one. */
import { inspectVolume, listVolumes } from '../volumes/list.ts';
import { type DockerRoute, json, param, route } from '../wire/route.ts';

export const volumeViewRoutes: readonly DockerRoute[] = [
  route('GET', '/volumes', ({ docker, query }) => json(listVolumes(docker, query))),
  route('GET', '/volumes/{name}', (call) => json(inspectVolume(call.docker, param(call, 'name')))),
];
