/** Name, addresses of dependents and published ports move from one container to another in one step. */
import { bareAddress } from '../../../model/addresses.ts';
import type { Desired } from '../../../model/desired.ts';
import { membershipsOf } from '../../../model/kinds/network-membership.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { nextKey, oldKey } from '../../../model/update.ts';
import type { ContainerRecord, RecordedEndpoint } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { endpointOn, endpointsOf, ownAddresses } from '../../../state/containers/endpoints.ts';
import type { LinkGraph } from '../../../state/link-graph.ts';
import type { NetworkNames } from '../../names/network-names.ts';
import type { OpOf } from '../../op.ts';
import { reachedKeys } from '../../op-traits.ts';
import type { UpdateBook } from '../../update-book.ts';
import { type Declared, declarationFor, recordOf } from '../declared.ts';
import { type ImageStores, imageById } from '../images/image-of.ts';
import { handedBack, heldAddresses, takenOver } from '../networks/held-addresses.ts';
import type { LeaseBook } from '../networks/lease-book.ts';
import { settleLeases } from '../networks/recorded-leases.ts';
import { type Connections, handOver, sharedNetworks } from './container-connect.ts';
import { renewOwnLines } from './container-update.ts';
import { declaredPart } from './record-draft.ts';

export interface CutOverPorts extends Declared {
  readonly containers: Pick<ContainerStore, 'get' | 'byKey' | 'all' | 'change' | 'readText' | 'writeText'>;
  readonly connections: Connections;
  readonly leases: Pick<LeaseBook, 'reassign' | 'holderOf' | 'save'>;
  readonly links: Pick<LinkGraph, 'get' | 'set' | 'delete'>;
  readonly names: Pick<NetworkNames, 'renew'>;
  readonly imageStores: Pick<ImageStores, 'images'>;
  readonly updates: Pick<UpdateBook, 'cutOver'>;
}

type NamePorts = Pick<CutOverPorts, 'desired' | 'containers' | 'links'>;

/** Containers that link to this one. Of one whose change has to wait it counts what it was made from. */
function dependents(ports: NamePorts, { key }: Desired<'container'>): Desired<'container'>[] {
  return [...ports.desired().resources.values()].flatMap((resource) => {
    if (resource.kind !== 'container') return [];
    const record = ports.containers.byKey(resource.key);
    const asMade = record?.owner?.specHash;
    const waits = record !== undefined && asMade !== undefined && asMade !== resource.specHash;
    const container = resource as Desired<'container'>;
    const as = waits ? declarationFor(ports, { key: resource.key, containerId: record.id, asMade }) : container;
    return as.references.links.includes(key) ? [as] : [];
  });
}

/** The record of the one that gives way: out of the way by name, and without ports. */
function retired(record: ContainerRecord, desired: Desired<'container'>, suffix: 'next' | 'old'): ContainerRecord {
  const key = suffix === 'next' ? nextKey(desired.key) : oldKey(desired.key);
  return {
    ...record,
    owner: record.owner && { ...record.owner, key },
    engineName: `${desired.engineName}.${suffix}`,
    network: record.network && { ...record.network, ports: [] },
    ...(suffix === 'next' && record.endpoints && { endpoints: record.endpoints.map(handedBack) }),
  };
}

function moveNames(ports: NamePorts, desired: Desired<'container'>, from: ContainerRecord, toId: string): void {
  const name = (path: string, id: string): void => {
    ports.links.delete(path);
    ports.links.set(path, id);
  };
  ports.links.delete(`/${desired.engineName}.next`);
  ports.links.delete(`/${desired.engineName}.old`);
  name(`/${desired.engineName}`, toId);
  name(`/${from.engineName}`, from.id);
  for (const dependent of dependents(ports, desired)) {
    if (ports.links.get(`/${dependent.engineName}`) === null) continue;
    dependent.references.links.forEach((key, index) => {
      const alias = dependent.spec.links[index]?.alias;
      if (key === desired.key && alias !== undefined) name(`/${dependent.engineName}/${alias}`, toId);
    });
  }
}

/**
 * The successor holds the addresses of the one that gives way where both can have them for a while; else each keeps those it
 * has, under the key it has from now on. A predecessor that comes back has had them all the time.
 */
function moveAddresses(
  { leases }: Pick<CutOverPorts, 'leases'>,
  desired: Desired<'container'>,
  {
    from,
    successor,
    taken: networks,
  }: { from: ContainerRecord | undefined; successor: ContainerRecord; taken: ReadonlySet<string> },
): void {
  const taking = (endpoint: RecordedEndpoint): RecordedEndpoint => {
    const given = networks.has(endpoint.network) && from ? endpointOn(from, endpoint.network) : undefined;
    return takenOver(endpoint, given && asAskedFor(desired, given));
  };
  const owner = successor.owner && { ...successor.owner, key: desired.key };
  const taken = { ...successor, owner, endpoints: endpointsOf(successor).map(taking) };
  const holders = new Map<string, [ResourceKey, string][]>();
  const held = [...heldAddresses(taken, taken), ...(from ? heldAddresses(from, taken) : [])];
  for (const one of held) holders.set(one.network, [...(holders.get(one.network) ?? []), [one.owner, one.address]]);
  for (const [network, all] of holders) leases.reassign(network, all);
}

/** Without an address in whose place the manifest has a fixed one. */
function asAskedFor({ spec, references }: Desired<'container'>, given: RecordedEndpoint): RecordedEndpoint {
  const asked = membershipsOf(spec)[references.networks.indexOf(given.network)];
  const kept = (family: 'ipv4' | 'ipv6'): string | null => {
    const fixed = asked?.[family] ?? null;
    const address = given[family];
    return fixed === null || address === null || bareAddress(address) === fixed ? address : null;
  };
  return { ...given, ipv4: kept('ipv4'), ipv6: kept('ipv6') };
}

/**
 * Connections that are open stay with the container that has them; new ones reach the successor from one packet to the
 * next. With a failure it is the way back. Every step may have happened before. Containers that link to it may be changed
 * at the same time: ops of their own tell them the address.
 */
export async function cutOver(ports: CutOverPorts, op: OpOf<'container.cutover'>): Promise<void> {
  try {
    await moveAll(ports, op);
  } catch (error) {
    settleLeases(ports, new Set(reachedKeys(op)));
    throw error;
  }
}

async function moveAll(ports: CutOverPorts, op: OpOf<'container.cutover'>): Promise<void> {
  const successor = recordOf(ports, op.successorId);
  const retiring = ports.containers.get(op.containerId);
  // A restored predecessor keeps its spec and its network, even if the declaration has changed.
  const asMade = op.failure === null ? undefined : successor.owner?.specHash;
  const desired = declarationFor(ports, { key: op.key, containerId: op.successorId, ...(asMade && { asMade }) });
  // A stop is of the name: one that is given before this is written goes with it.
  let stop = retiring?.stopOverride ?? null;
  const giveWay = (record: ContainerRecord): ContainerRecord => {
    stop = record.stopOverride;
    return retired(record, desired, op.failure === null ? 'old' : 'next');
  };
  const from = retiring && giveWay(retiring);
  const taken = op.failure === null ? sharedNetworks(ports.connections) : new Set<string>();
  moveAddresses(ports, desired, { from, successor, taken });
  const connected = handOver(ports.connections, desired, op.containerId, op.successorId);
  const identity =
    op.failure === null
      ? declaredPart(ports, desired, imageById(ports.imageStores, successor.imageId, desired), op.successorId)
      : { owner: successor.owner && { ...successor.owner, key: desired.key }, engineName: desired.engineName };
  const takeOver = (record: ContainerRecord): ContainerRecord => ({
    ...record,
    ...identity,
    stopOverride: stop,
    ...connected,
  });
  await ports.leases.save({
    files: (batch) => {
      // First the one that gives way: at no time two containers have the name.
      if (from) ports.containers.change(from.id, giveWay, batch);
      ports.containers.change(successor.id, takeOver, batch);
    },
    names: () => from && moveNames(ports, desired, from, successor.id),
  });
  renewOwnLines(ports.containers, recordOf(ports, successor.id), ownAddresses(successor));
  ports.names.renew();
  ports.updates.cutOver(desired.key, op.failure);
}
