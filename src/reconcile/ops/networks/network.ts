import { createHash } from 'node:crypto';
import type { Instance } from '../../../drivers/contract/driver.ts';
import type { Networks } from '../../../drivers/contract/network.ts';
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
import type { NetworkRecord, ResourceStore } from '../../../state/history/resource-store.ts';
import type { DriftMemory } from '../../drift-memory.ts';
import type { OpOf } from '../../op.ts';
import type { OpFailureCache } from '../../op-failure-cache.ts';
import { attachedTo } from '../../plan/references.ts';
import { SPEC_SCHEMA_VERSION } from '../containers/record-draft.ts';
import { type Declared, desiredOf } from '../declared.ts';
import type { LeaseBook } from './lease-book.ts';
import { type KnownNetworks, networkConfig, networkRecord } from './network-config.ts';

export interface EnsureNetworkPorts extends Declared, Pick<KnownNetworks, 'settings' | 'defaultNetwork'> {
  readonly instance: Pick<Instance, 'id'>;
  readonly network: Pick<Networks, 'ensureNetwork' | 'occupiedSubnets'>;
  readonly resources: Pick<ResourceStore, 'networks' | 'setNetwork'>;
  readonly drifts: Pick<DriftMemory, 'of' | 'repaired'>;
  readonly failures: Pick<OpFailureCache, 'clear'>;
}

export interface RemoveNetworkPorts extends Declared {
  readonly network: Pick<Networks, 'removeNetwork'>;
  readonly resources: Pick<ResourceStore, 'removeNetwork'>;
  readonly leases: Pick<LeaseBook, 'releaseNetwork' | 'save'>;
}

/** What a new network is fitted in between. */
type Surroundings = Pick<EnsureNetworkPorts, 'instance' | 'network' | 'resources'>;

/** `b<instance><8 hex of the key>`: fifteen bytes, the longest name the kernel takes (IFNAMSIZ). */
function bridgeName({ instance }: Surroundings, desired: Desired<'network'>): string {
  if (desired.spec.bridgeName !== null) return desired.spec.bridgeName;
  return `b${instance.id}${createHash('sha256').update(desired.key).digest('hex').slice(0, 8)}`;
}

/** Subnets that a new network must not overlap: the host's, and those of our other networks. */
function occupied(around: Surroundings, desired: Desired<'network'>): string[] {
  const ours = around.resources.networks().filter(({ key }) => key !== desired.key);
  const known = networkRecord(around, desired.key)?.subnet;
  const host = around.network.occupiedSubnets().filter((subnet) => subnet !== known);
  return [...host, ...ours.map(({ subnet }) => subnet)];
}

function chooseSubnet(around: Surroundings, desired: Desired<'network'>): string {
  const taken = occupied(around, desired);
  const wanted = desired.spec.subnet ?? networkRecord(around, desired.key)?.subnet ?? null;
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

function resolve(around: Surroundings, desired: Desired<'network'>): NetworkRecord {
  const { spec, key, specHash } = desired;
  const subnet = chooseSubnet(around, desired);
  return {
    key,
    specHash,
    written: writtenSpec(spec),
    schemaVersion: SPEC_SCHEMA_VERSION,
    bridge: bridgeName(around, desired),
    subnet,
    gateway: spec.gateway ?? firstHostOf(subnet),
  };
}

/** Clears the failures of containers on a repaired network, so that they are retried at once. */
function repaired(ports: EnsureNetworkPorts, key: ResourceKey): void {
  if (ports.drifts.of(key).length === 0) return;
  ports.drifts.repaired(key);
  for (const user of attachedTo(key, ports.desired().resources)) ports.failures.clear(user);
}

/** Creates or repairs a network; the default bridge is repaired with the configuration of the supervisor. */
export async function ensureNetwork(ports: EnsureNetworkPorts, op: OpOf<'network.ensure'>): Promise<void> {
  const fallback = ports.defaultNetwork();
  if (fallback?.key === op.key) {
    ports.network.ensureNetwork(fallback);
    repaired(ports, op.key);
    return;
  }
  const desired = desiredOf(ports, 'network', op.key);
  const record = resolve(ports, desired);
  // Remembered first: a network whose making is interrupted is then repaired or removed, not lost.
  ports.resources.setNetwork(record);
  ports.network.ensureNetwork(networkConfig(ports, record));
  repaired(ports, op.key);
}

export async function removeNetwork(ports: RemoveNetworkPorts, op: OpOf<'network.remove'>): Promise<void> {
  ports.network.removeNetwork(op.key);
  ports.resources.removeNetwork(op.key);
  if (ports.desired().resources.has(op.key)) return;
  ports.leases.releaseNetwork(op.key);
  await ports.leases.save();
}
