/** Which names containers have on their networks, and what each container may ask, out of their records. Pure. */
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { DEFAULT_NETWORK } from '../../model/network-mode.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import type { Forwarding, NetworkLabel, PointerRecord, PrivateAlias, SandboxState } from '../../resolver/protocol.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { type Endpoint, endpointsByRoute } from '../../state/containers/endpoints.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import { shortId } from '../../state/ids.ts';
import { hostnamesOf } from './peer-index.ts';

/** A network as names know it. */
export interface NamedNetwork {
  readonly key: ResourceKey;
  /** Its containers reach no other network by it. */
  readonly internal: boolean;
}

/** By the interface on the host, which records name it by; null for one that is not known any more. */
export type NetworkLookup = (bridge: string) => NamedNetwork | null;

/** A name that one container asks for on a network. */
interface NameClaim {
  readonly name: string;
  /** The app that knows it; null: all on the network. */
  readonly scope: string | null;
  /** Of claims of one name the lowest rank has it. */
  readonly rank: number;
}

/** A container on a network. */
export interface NamedEndpoint {
  readonly network: ResourceKey;
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  readonly claims: readonly NameClaim[];
  readonly pointers: readonly PointerRecord[];
}

/** A name that was given to one container goes before one that several may have. */
const RANK = { own: 0, id: 1, shared: 2 } as const;

/** What `front` in `web.front` may be: short in its own app, and everywhere as containers are called by their engine name. */
export function labelsOf(key: ResourceKey): readonly NetworkLabel[] {
  if (key === DEFAULT_NETWORK) return [{ label: 'bridge', scope: null }];
  const { app, name } = parseKey(key);
  return [
    { label: name, scope: app },
    { label: `${app}-${name}`, scope: null },
  ];
}

const everywhere = (key: ResourceKey): string => labelsOf(key).at(-1)?.label ?? '';

/** What others may call a container, and where it is. */
export interface Named {
  readonly id: string;
  readonly app: string;
  /** In its app. */
  readonly name: string;
  readonly engineName: string;
  readonly hostnames: readonly string[];
  readonly endpoints: readonly Endpoint[];
}

/** Null for one that nothing names: beside the container whose name counts, or made by Docker. */
export function namedOf(record: ContainerRecord): Named | null {
  const { id, owner, engineName } = record;
  if (owner === null || baseKey(owner.key) !== owner.key) return null;
  const { app, name } = parseKey(owner.key);
  return {
    id,
    app,
    name,
    engineName,
    hostnames: hostnamesOf(containerSpecOf(owner)),
    endpoints: endpointsByRoute(record),
  };
}

/** What others call a container on its networks. */
export function namedEndpoints(container: Named, networkOf: NetworkLookup): readonly NamedEndpoint[] {
  const { id, app, name, engineName, hostnames } = container;
  const everyNetwork: NameClaim[] = [
    { name, scope: app, rank: RANK.own },
    { name: engineName, scope: null, rank: RANK.own },
    { name: shortId(id), scope: null, rank: RANK.id },
    ...hostnames.map((hostname) => ({ name: hostname, scope: null, rank: RANK.shared })),
  ];
  return container.endpoints.flatMap(({ bridge, ipv4, ipv6, aliases }): NamedEndpoint[] => {
    const network = networkOf(bridge)?.key;
    if (network === undefined) return [];
    const shared = aliases.flatMap((alias) => [
      { name: alias, scope: app, rank: RANK.shared },
      { name: alias, scope: null, rank: RANK.shared },
    ]);
    const pointer = `${engineName}.${everywhere(network)}`;
    const pointers = [ipv4, ipv6].flatMap((address) => (address === null ? [] : [{ address, name: pointer }]));
    return [{ network, ipv4, ipv6, pointers, claims: [...everyNetwork, ...shared].map(inLowerCase) }];
  });
}

const inLowerCase = (claim: NameClaim): NameClaim => ({ ...claim, name: claim.name.toLowerCase() });

/** A container that another one links to, as far as it is known by now. */
export interface LinkedName {
  readonly alias: string;
  readonly engineName: string;
  readonly endpoints: readonly Endpoint[];
}

export interface AskerFacts {
  readonly networkOf: NetworkLookup;
  readonly linked: readonly LinkedName[];
  /** Name servers of containers that declare none (`--dns`). */
  readonly servers: readonly string[];
}

/** What the resolver answers a container; null for one that does not ask it. */
export function askerOf(record: ContainerRecord, facts: AskerFacts): Omit<SandboxState, 'digest'> | null {
  const { id, owner, resolver } = record;
  const networks = endpointsByRoute(record).flatMap(({ bridge }) => facts.networkOf(bridge) ?? []);
  if (owner === null || resolver === null || networks.length === 0) return null;
  return {
    id,
    scope: parseKey(owner.key).app,
    networks: networks.map(({ key }) => key),
    aliases: facts.linked.flatMap((linked) => privateAlias(linked, networks, facts.networkOf)),
    forwarding: forwardingOf(containerSpecOf(owner), facts.servers, networks),
    ndots: resolver.ndots,
  };
}

/** On a network that both are on where there is one: there it is reached. */
function privateAlias(
  { alias, engineName, endpoints }: LinkedName,
  own: readonly NamedNetwork[],
  networkOf: NetworkLookup,
): PrivateAlias[] {
  const theirs = endpoints.flatMap(({ bridge }) => networkOf(bridge)?.key ?? []);
  const network = own.find(({ key }) => theirs.includes(key))?.key ?? theirs[0];
  return network === undefined ? [] : [{ alias, network, name: engineName }];
}

/** The resolver answers there itself, and would ask itself for ever. */
const OWN_ADDRESS = '127.0.0.11';
const DNS_PORT = 53;

function forwardingOf(
  { dns }: Pick<ContainerSpec, 'dns'>,
  fallback: readonly string[],
  networks: readonly NamedNetwork[],
): Forwarding {
  const given = (dns.length > 0 ? dns : fallback).filter((address) => address !== OWN_ADDRESS);
  if (given.length > 0) {
    return { from: 'inside', servers: given.map((address) => ({ address, port: DNS_PORT })) };
  }
  return { from: networks.every(({ internal }) => internal) ? 'nowhere' : 'host' };
}
