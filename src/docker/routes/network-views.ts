/** What networks there are, and what is known of one. */
import { downShape } from '../down-shape.ts';
import { inspectNetwork, listNetworks } from '../networks/list.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';

/** Before it, lists had the containers of each network. */
const WITHOUT_MEMBERS = 28;

function list({ docker, query, minor }: DockerCall): DockerReply {
  const networks = listNetworks(docker, query, minor < WITHOUT_MEMBERS);
  return json(networks.map((one) => downShape(minor, 'network', one)));
}

function inspect(call: DockerCall): DockerReply {
  const { docker, query, minor } = call;
  const scope = query.text('scope');
  const id = param(call, 'id');
  if (scope !== '' && scope !== 'local') throw new DockerError(404, `network ${id} not found`);
  return json(downShape(minor, 'network', inspectNetwork(docker, id)));
}

export const networkViewRoutes: readonly DockerRoute[] = [
  route('GET', '/networks', list),
  route('GET', '/networks/{id}', inspect),
];
