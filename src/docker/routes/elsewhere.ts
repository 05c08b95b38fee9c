/** What a daemon that is in no swarm and has no plugins answers of them. */
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';

function noManager(): DockerReply {
  throw new DockerError(
    503,
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
  );
}

function notInSwarm(): DockerReply {
  throw new DockerError(503, 'This node is not part of a swarm');
}

function noSwarm(): DockerReply {
  throw new DockerError(501, 'tsdocker runs one host: it joins no swarm and makes none');
}

function noPlugin(call: DockerCall): DockerReply {
  throw new DockerError(404, `plugin ${JSON.stringify(param(call, 'name'))} not found`);
}

function noPlugins(): DockerReply {
  throw new DockerError(501, 'tsdocker takes no plugins');
}

const METHODS = ['GET', 'POST', 'DELETE'] as const;
const OF_MANAGERS = ['nodes', 'services', 'tasks', 'secrets', 'configs'];

export const elsewhereRoutes: readonly DockerRoute[] = [
  route('POST', '/swarm/init', noSwarm),
  route('POST', '/swarm/join', noSwarm),
  route('POST', '/swarm/leave', notInSwarm),
  route('GET', '/swarm', noManager),
  route('GET', '/swarm/{rest+}', noManager),
  route('POST', '/swarm/{rest+}', noManager),
  ...METHODS.flatMap((method) =>
    OF_MANAGERS.flatMap((kind) => [route(method, `/${kind}`, noManager), route(method, `/${kind}/{rest+}`, noManager)]),
  ),
  route('GET', '/plugins', () => json([])),
  route('GET', '/plugins/privileges', noPlugins),
  route('POST', '/plugins/pull', noPlugins),
  route('POST', '/plugins/create', noPlugins),
  route('GET', '/plugins/{name+}/json', noPlugin),
  route('DELETE', '/plugins/{name+}', noPlugin),
  route('POST', '/plugins/{name+}/{action}', noPlugin),
];
