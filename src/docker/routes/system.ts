/** The daemon itself: whether it is there, what it is, what it runs on. */
import { arch } from 'node:os';
import { infoOf } from '../system/info.ts';
import { versionAnswer } from '../system/version.ts';
import { type DockerReply, type DockerRoute, json, route } from '../wire/route.ts';

const PING_HEADERS = {
  'Builder-Version': '1',
  'Cache-Control': 'no-cache, no-store, must-revalidate',
  Pragma: 'no-cache',
  Swarm: 'inactive',
};

const ping = (text: string): DockerReply => ({ type: 'text', text, headers: PING_HEADERS });

export const systemRoutes: readonly DockerRoute[] = [
  route('GET', '/_ping', () => ping('OK')),
  route('HEAD', '/_ping', () => ({
    type: 'empty',
    status: 200,
    headers: { ...PING_HEADERS, 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': '0' },
  })),
  route('GET', '/version', async ({ docker }) => json(versionAnswer(await docker.api.version(), arch()))),
  route('GET', '/info', async (call) => json(infoOf(call, await call.docker.api.info()))),
];
