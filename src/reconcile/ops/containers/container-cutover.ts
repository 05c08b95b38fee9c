/** Name, addresses of dependents and published ports move from one container to another in one step. */
import type { Desired } from '../../../model/desired.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { nextKey, oldKey } from '../../../model/update.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { OpOf } from '../../op.ts';
import { reachedKeys } from '../../op-traits.ts';
import { ownsSandbox } from '../../plan/references.ts';
import { imageById } from '../images/image-of.ts';
import { endpointConfig, networkOf, recordedNetwork } from '../networks/endpoint.ts';
import { settleLeases } from '../networks/recorded-leases.ts';
import { declarationFor, recordOf, type World } from '../world.ts';
import { adoptSandbox, keepUp } from './container-connect.ts';
import { declaredPart } from './container-create.ts';

/** Containers that link to this one. Of one whose change has to wait it counts what it was made from. */
function dependents(world: World, { key }: Desired<'container'>): Desired<'container'>[] {
  return [...world.desired().resources.values()].flatMap((resource) => {
    if (resource.kind !== 'container') return [];
    const record = world.containers.byKey(resource.key);
    const asMade = record?.owner?.specHash;
    const waits = record !== undefined && asMade !== undefined && asMade !== resource.specHash;
    const container = resource as Desired<'container'>;
    const as = waits ? declarationFor(world, { key: resource.key, containerId: record.id, asMade }) : container;
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
  };
}

function moveNames(world: World, desired: Desired<'container'>, from: ContainerRecord, toId: string): void {
  const name = (path: string, id: string): void => {
    world.links.delete(path);
    world.links.set(path, id);
  };
  world.links.delete(`/${desired.engineName}.next`);
  world.links.delete(`/${desired.engineName}.old`);
  name(`/${desired.engineName}`, toId);
  name(`/${from.engineName}`, from.id);
  for (const dependent of dependents(world, desired)) {
    if (world.links.get(`/${dependent.engineName}`) === null) continue;
    dependent.references.links.forEach((key, index) => {
      const alias = dependent.spec.links[index]?.alias;
      if (key === desired.key && alias !== undefined) name(`/${dependent.engineName}/${alias}`, toId);
    });
  }
}

/** Each keeps the address it has on the network where it is, under the key it has from now on. */
function moveAddresses(
  world: World,
  { key }: Desired<'container'>,
  from: ContainerRecord | undefined,
  successor: ContainerRecord,
): void {
  const holders = new Map<string, [ResourceKey, string][]>();
  const holds = (owner: ResourceKey | undefined, record: ContainerRecord | undefined): void => {
    const network = record && networkKeyOf(world, record);
    if (!network || !record.network || owner === undefined) return;
    holders.set(network, [...(holders.get(network) ?? []), [owner, record.network.address]]);
  };
  holds(key, successor);
  holds(from?.owner?.key, from);
  for (const [network, held] of holders) world.leases.reassign(network, held);
}

/** Key of the network that a container's endpoint is on. */
function networkKeyOf(world: World, { network }: ContainerRecord): string | null {
  const fallback = world.defaultNetwork();
  if (network?.bridge === fallback?.bridge) return fallback?.key ?? null;
  return world.resources.networks().find(({ bridge }) => bridge === network?.bridge)?.key ?? null;
}

/** One that has done its work and ended let go of its namespace: there is nothing to give ports to. */
function isAttached(world: World, containerId: string): boolean {
  if (world.exec.running(containerId)) adoptSandbox(world, containerId);
  return world.network.sandbox(containerId) !== null;
}

/**
 * Connections that are open stay with the container that has them; new ones reach the successor from one packet to the
 * next. With a failure it is the way back. Every step may have happened before. Containers that link to it may be changed
 * at the same time: ops of their own tell them the address.
 */
export async function cutOver(world: World, op: OpOf<'container.cutover'>): Promise<void> {
  try {
    await handOver(world, op);
  } catch (error) {
    settleLeases(world, new Set(reachedKeys(op)));
    throw error;
  }
}

async function handOver(world: World, op: OpOf<'container.cutover'>): Promise<void> {
  const successor = recordOf(world, op.successorId);
  const retiring = world.containers.get(op.containerId);
  // A predecessor that comes back is what it was, on the network where it was, whatever is declared by now.
  const asMade = op.failure === null ? undefined : successor.owner?.specHash;
  const desired = declarationFor(world, { key: op.key, containerId: op.successorId, ...(asMade && { asMade }) });
  // A stop is of the name: one that is given before this is written goes with it.
  let stop = retiring?.stopOverride ?? null;
  const giveWay = (record: ContainerRecord): ContainerRecord => {
    stop = record.stopOverride;
    return retired(record, desired, op.failure === null ? 'old' : 'next');
  };
  const from = retiring && giveWay(retiring);
  moveAddresses(world, desired, from, successor);
  const network = ownsSandbox(desired.spec) && isAttached(world, op.successorId) ? networkOf(world, desired) : null;
  const endpoint = network && endpointConfig(world, desired, op.successorId, network);
  if (network && endpoint) {
    keepUp(world, network);
    world.network.handOver(op.containerId, endpoint);
    world.drifts.mended(desired.key);
  }

  const identity =
    op.failure === null
      ? declaredPart(world, desired, imageById(world, successor.imageId, desired), op.successorId)
      : { owner: successor.owner && { ...successor.owner, key: desired.key }, engineName: desired.engineName };
  const takeOver = (record: ContainerRecord): ContainerRecord => ({
    ...record,
    ...identity,
    stopOverride: stop,
    network: network && endpoint ? recordedNetwork(world, desired, endpoint, network) : record.network,
  });
  await world.leases.save(world.commits, {
    files: (batch) => {
      // First the one that gives way: at no time two containers have the name.
      if (from) world.containers.change(from.id, giveWay, batch);
      world.containers.change(successor.id, takeOver, batch);
    },
    names: () => from && moveNames(world, desired, from, successor.id),
  });
  world.names.renew();
  world.updates.cutOver(desired.key, op.failure);
}
