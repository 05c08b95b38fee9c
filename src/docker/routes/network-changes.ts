/** Networks that clients make, remove and prune. */
import { isImperative } from '../../model/imperative/request.ts';
import { DEFAULT_NETWORK } from '../../model/network-mode.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { pruning } from '../changes/pruning.ts';
import { requestOf } from '../changes/request-of.ts';
import { specOfNetwork } from '../create/network-spec.ts';
import { untilOf } from '../images/until.ts';
import { findNetwork } from '../lookup.ts';
import { type KnownNetwork, knownNetworks } from '../networks/known-networks.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';

async function create(call: DockerCall): Promise<DockerReply> {
  const { docker } = call;
  const body = await call.readBody();
  const { name, spec } = specOfNetwork(body);
  const { key } = await docker.imperative.networks.create({ name, spec, request: requestOf(call, body, false) });
  const id = knownNetworks(docker).find((network) => network.key === key)?.id ?? '';
  return json({ Id: id, Warning: '' }, 201);
}

const isPredefined = ({ key, name }: KnownNetwork): boolean =>
  key === DEFAULT_NETWORK || name === 'host' || name === 'none';

/** Containers with an endpoint there: one at rest has none, and does not keep a network. */
function usersOf({ docker }: DockerCall, { key }: KnownNetwork): readonly ContainerRecord[] {
  return docker.imperative.networks
    .usersOf(key)
    .flatMap((user) => docker.containers.byKey(user.key) ?? [])
    .filter(({ id, state }) => docker.exec.running(id) !== null || state.status === 'restarting');
}

async function remove(call: DockerCall): Promise<DockerReply> {
  const network = findNetwork(knownNetworks(call.docker), param(call, 'id'));
  if (isPredefined(network))
    throw new DockerError(403, `${network.name} is a pre-defined network and cannot be removed`);
  if (usersOf(call, network).length > 0)
    throw new DockerError(
      403,
      `error while removing network: network ${network.name} id ${network.id} has active endpoints`,
    );
  await call.docker.imperative.networks.remove(network.key, call.client);
  return { type: 'empty', status: 204 };
}

const PRUNE_FILTERS = ['label', 'label!', 'until'];

async function prune(call: DockerCall): Promise<DockerReply> {
  const { docker, query } = call;
  const filters = query.filters(PRUNE_FILTERS);
  const until = untilOf(filters.of('until'), docker.clock.now().wallMs);
  const gone = await pruning(docker, 'networks', async () => {
    const unused = knownNetworks(docker).filter(
      (network) =>
        isImperative(network.key) &&
        usersOf(call, network).length === 0 &&
        filters.labels(network.spec?.labels ?? {}) &&
        filters.labels(network.spec?.labels ?? {}, 'label!') &&
        (until === null || Date.parse(network.created) < until),
    );
    for (const { key } of unused) await docker.imperative.networks.remove(key, call.client);
    return unused.map(({ name }) => name);
  });
  return json({ NetworksDeleted: gone.length === 0 ? null : gone });
}

export const networkChangeRoutes: readonly DockerRoute[] = [
  route('POST', '/networks/create', create),
  route('POST', '/networks/prune', prune, 25),
  route('DELETE', '/networks/{id}', remove),
];
