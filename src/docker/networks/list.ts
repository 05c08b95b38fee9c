/** GET /networks and /networks/{id}. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { JsonObject } from '../containers/json-object.ts';
import type { DockerParts } from '../docker-parts.ts';
import { findNetwork } from '../lookup.ts';
import { isPredefined } from '../names.ts';
import { DockerError } from '../wire/docker-error.ts';
import { foundIn } from '../wire/pattern.ts';
import type { Filters, Query } from '../wire/query.ts';
import { type KnownNetwork, knownNetworks } from './known-networks.ts';
import { membersOf, type NetworkFacts, networkJson, networkLabels } from './network-json.ts';

const FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

function objectOf(body: JsonObject | null, name: string): JsonObject | null {
  const value = body?.[name];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null;
}

function auxiliaryOf(request: JsonObject | null): NetworkFacts['asked']['auxiliary'] {
  const pools = objectOf(request, 'IPAM')?.Config;
  if (!Array.isArray(pools)) return {};
  return Object.fromEntries(
    (pools as readonly JsonObject[]).flatMap((pool) => {
      const kept = objectOf(pool, 'AuxiliaryAddresses');
      return kept === null || typeof pool.Subnet !== 'string' ? [] : [[pool.Subnet, kept]];
    }),
  );
}

function factsOf(docker: DockerParts, network: KnownNetwork, running: readonly ContainerRecord[]): NetworkFacts {
  const { request } = network;
  return {
    network,
    members: membersOf(network, running),
    asked: {
      options: objectOf(request, 'Options'),
      labels: objectOf(request, 'Labels'),
      attachable: request?.Attachable === true,
      ipamOptions:
        objectOf(objectOf(request, 'IPAM'), 'Options') ?? (request === null && network.spec !== null ? {} : null),
      auxiliary: auxiliaryOf(request),
    },
    hostIp: docker.hostIp,
  };
}

function runningContainers({ containers, observed }: DockerParts): readonly ContainerRecord[] {
  return containers.all().filter((record) => observed(record).running);
}

function check(filters: Filters): void {
  for (const type of filters.of('type'))
    if (type !== 'builtin' && type !== 'custom') throw new DockerError(400, `invalid filter: 'type'='${type}'`);
  const [dangling] = filters.of('dangling');
  if (dangling !== undefined && !['true', '1', 'false', '0'].includes(dangling))
    throw new DockerError(400, `invalid value for filter 'dangling', must be "true" (or "1"), or "false" (or "0")`);
}

/** A network that no container uses, and that users may remove. */
const isDangling = ({ network, members }: NetworkFacts): boolean =>
  !isPredefined(network.name) && Object.keys(members).length === 0;

/** @throws DockerError 400 */
function chosen(query: Query, all: readonly NetworkFacts[]): readonly NetworkFacts[] {
  const filters = query.filters(FILTERS);
  check(filters);
  const names = all.map(({ network }) => network.name);
  const patterns = filters.of('name').map((pattern) => foundIn(pattern, names));
  const dangling = filters.flag('dangling');
  return all.filter(
    (facts, index) =>
      filters.some('driver', (driver) => facts.network.driver === driver) &&
      filters.some('id', (id) => facts.network.id.startsWith(id)) &&
      (patterns.length === 0 || patterns.some((found) => found[index] === true)) &&
      filters.labels(networkLabels(facts)) &&
      filters.some('scope', (scope) => scope === 'local') &&
      filters.some('type', (type) => isPredefined(facts.network.name) === (type === 'builtin')) &&
      (dangling === null || isDangling(facts) === dangling),
  );
}

type Shape = Readonly<Record<string, unknown>>;

/** @param isFull with the containers of each, as clients of the first versions have them */
export function listNetworks(docker: DockerParts, query: Query, isFull: boolean): readonly Shape[] {
  const running = runningContainers(docker);
  const all = knownNetworks(docker).map((network) => factsOf(docker, network, running));
  return chosen(query, all).map((facts) => networkJson(isFull ? facts : { ...facts, members: {} }));
}

/** @throws DockerError 404, 400 */
export function inspectNetwork(docker: DockerParts, text: string): Shape {
  const network = findNetwork(knownNetworks(docker), text);
  return networkJson(factsOf(docker, network, runningContainers(docker)));
}
