import { createHash } from 'node:crypto';
import {
  allocateSubnet,
  DEFAULT_SUBNET_POOL,
  DEFAULT_SUBNET_PREFIX_LENGTH,
  firstHostOf,
  overlaps,
} from '../../../model/addresses.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { writtenSpec } from '../../../state/containers/written-spec.ts';
import type { NetworkRecord } from '../../../state/history/resource-store.ts';
import type { OpOf } from '../../op.ts';
import { attachedTo } from '../../plan/references.ts';
import { SPEC_SCHEMA_VERSION } from '../containers/container-create.ts';
import { desiredOf, type World } from '../world.ts';
import { networkConfig, networkRecord } from './network-config.ts';

/** `b<instance><8 hex of the key>`: fifteen bytes, the longest name the kernel takes (IFNAMSIZ). */
function bridgeName(world: World, desired: Desired<'network'>): string {
  if (desired.spec.bridgeName !== null) return desired.spec.bridgeName;
  return `b${world.instance.id}${createHash('sha256').update(desired.key).digest('hex').slice(0, 8)}`;
}

/** Subnets that a new network must not overlap: the host's, and those of our other networks. */
function occupied(world: World, desired: Desired<'network'>): string[] {
  const ours = world.resources.networks().filter(({ key }) => key !== desired.key);
  const known = networkRecord(world, desired.key)?.subnet;
  const host = world.network.occupiedSubnets().filter((subnet) => subnet !== known);
  return [...host, ...ours.map(({ subnet }) => subnet)];
}

function chooseSubnet(world: World, desired: Desired<'network'>): string {
  const taken = occupied(world, desired);
  const wanted = desired.spec.subnet ?? networkRecord(world, desired.key)?.subnet ?? null;
  if (wanted !== null) {
    const clash = taken.find((subnet) => overlaps(subnet, wanted));
    if (clash === undefined) return wanted;
    if (desired.spec.subnet !== null) {
      throw new TsdError('TSD_SUBNET_CONFLICT', `subnet ${wanted} overlaps ${clash}, which this host uses`, {
        key: desired.key,
        source: desired.positions.subnet ?? desired.source,
      });
    }
  }
  const free = allocateSubnet(DEFAULT_SUBNET_POOL, DEFAULT_SUBNET_PREFIX_LENGTH, taken);
  if (free !== null) return free;
  throw new TsdError('TSD_ADDRESS_POOL_FULL', `no free subnet in ${DEFAULT_SUBNET_POOL}`, {
    key: desired.key,
    source: desired.source,
    hint: 'Give the network a subnet of its own.',
  });
}

function resolve(world: World, desired: Desired<'network'>): NetworkRecord {
  const { spec, key, specHash } = desired;
  const subnet = chooseSubnet(world, desired);
  return {
    key,
    specHash,
    written: writtenSpec(spec),
    schemaVersion: SPEC_SCHEMA_VERSION,
    bridge: bridgeName(world, desired),
    subnet,
    gateway: spec.gateway ?? firstHostOf(subnet),
  };
}

/** Clears the failures of containers on a repaired network, so that they are retried at once. */
function mended(world: World, key: ResourceKey): void {
  if (world.drifts.of(key).length === 0) return;
  world.drifts.mended(key);
  for (const user of attachedTo(key, world.desired().resources)) world.failures.clear(user);
}

/** Makes or mends a network; the default bridge is mended with the configuration of the supervisor. */
export async function ensureNetwork(world: World, op: OpOf<'network.ensure'>): Promise<void> {
  const fallback = world.defaultNetwork();
  if (fallback?.key === op.key) {
    world.network.ensureNetwork(fallback);
    mended(world, op.key);
    return;
  }
  const desired = desiredOf(world, 'network', op.key);
  const record = resolve(world, desired);
  // Remembered first: a network whose making is interrupted is then mended or removed, not lost.
  world.resources.setNetwork(record);
  world.network.ensureNetwork(networkConfig(world, record));
  mended(world, op.key);
}

export async function removeNetwork(world: World, op: OpOf<'network.remove'>): Promise<void> {
  world.network.removeNetwork(op.key);
  world.resources.removeNetwork(op.key);
  if (world.desired().resources.has(op.key)) return;
  world.leases.releaseNetwork(op.key);
  await world.leases.save(world.commits);
}
