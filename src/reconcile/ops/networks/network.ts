import { createHash } from 'node:crypto';
import type { Instance } from '../../../drivers/contract/driver.ts';
import type { Networks } from '../../../drivers/contract/network.ts';
import type { Family } from '../../../model/addresses.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { UsedSubnet } from '../../../model/networks/address-pools.ts';
import { own } from '../../../model/own.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { writtenSpec } from '../../../state/containers/written-spec.ts';
import { type NetworkRecord, PRESENT_DEFAULTS } from '../../../state/history/network-record.ts';
import type { ResourceStore } from '../../../state/history/resource-store.ts';
import { type DriftMemory, NOT_SET_UP } from '../../drift-memory.ts';
import type { OpOf } from '../../op.ts';
import type { OpFailureCache } from '../../op-failure-cache.ts';
import { attachedTo } from '../../plan/references.ts';
import { SPEC_SCHEMA_VERSION } from '../containers/record-draft.ts';
import { type Declared, desiredOf } from '../declared.ts';
import type { LeaseBook } from './lease-book.ts';
import { type KnownNetworks, networkConfig, networkRecord } from './network-config.ts';
import { familiesOf, type HostFamilies } from './network-families.ts';
import { chooseRange, type Surroundings } from './network-ranges.ts';

/** What a network gets whose manifest leaves it open. */
export interface NewNetworks {
  readonly pools: Surroundings['pools'];
  /** As the host is now. */
  families(): HostFamilies;
}

export interface EnsureNetworkPorts extends Declared, Pick<KnownNetworks, 'defaultNetwork'> {
  readonly instance: Pick<Instance, 'id'>;
  readonly network: Pick<Networks, 'ensureNetwork' | 'hostUse'>;
  readonly settings: KnownNetworks['settings'] & {
    /** Of networks that name none. */
    readonly networkDriver: string;
    readonly newNetworks: NewNetworks;
  };
  readonly resources: Pick<ResourceStore, 'networks' | 'setNetwork'>;
  readonly drifts: Pick<DriftMemory, 'of' | 'record' | 'repaired'>;
  readonly failures: Pick<OpFailureCache, 'clear'>;
}

export interface RemoveNetworkPorts extends Declared {
  readonly network: Pick<Networks, 'removeNetwork'>;
  readonly resources: Pick<ResourceStore, 'removeNetwork'>;
  readonly leases: Pick<LeaseBook, 'releaseNetwork' | 'save'>;
}

/** `b<instance><8 hex of the key>`: fifteen bytes, the longest name the kernel takes (IFNAMSIZ). */
function interfaceName({ instance }: EnsureNetworkPorts, desired: Desired<'network'>): string {
  if (desired.spec.bridgeName !== null) return desired.spec.bridgeName;
  return `b${instance.id}${createHash('sha256').update(desired.key).digest('hex').slice(0, 8)}`;
}

/** Subnets of our other networks. */
export function subnetsOfOthers(records: readonly NetworkRecord[], key: ResourceKey): UsedSubnet[] {
  return records.flatMap((record) =>
    record.key === key
      ? []
      : [record.ipv4, record.ipv6].flatMap((range) => (range ? [{ subnet: range.subnet, by: record.key }] : [])),
  );
}

function driverFields(
  { settings }: EnsureNetworkPorts,
  driver: string,
  { key, source, positions }: Desired<'network'>,
) {
  const fields = own(settings.networkDrivers, driver);
  if (fields) return fields;
  const names = Object.keys(settings.networkDrivers).join(', ');
  throw new TsdError('TSD_DRIVER_UNKNOWN', `unknown network driver ${driver}; there are ${names}`, {
    key,
    source: positions.driver ?? source,
  });
}

function resolve(ports: EnsureNetworkPorts, desired: Desired<'network'>): NetworkRecord {
  const { spec, key, specHash, request } = desired;
  const { newNetworks } = ports.settings;
  const known = networkRecord(ports, key) ?? null;
  const driver = known?.driver ?? spec.driver ?? ports.settings.networkDriver;
  const fields = driverFields(ports, driver, desired);
  const families = familiesOf(desired, known?.defaults.ipv6 ?? null, newNetworks.families());
  const around: Surroundings = {
    pools: newNetworks.pools,
    host: ports.network.hostUse(),
    others: subnetsOfOthers(ports.resources.networks(), key),
  };
  const range = (family: Family) =>
    families[family] ? chooseRange(desired, around, family, { known: known?.[family] ?? null, driver: fields }) : null;
  return {
    key,
    specHash,
    written: writtenSpec(spec),
    schemaVersion: SPEC_SCHEMA_VERSION,
    driver,
    interfaceName: interfaceName(ports, desired),
    ipv4: range('ipv4'),
    ipv6: range('ipv6'),
    defaults: known?.defaults ?? { ...PRESENT_DEFAULTS, ipv6: families.ipv6 },
    ...(request && { request }),
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
  // Until it is made it lacks something: looks that do not ask the kernel would take it for set up.
  if (ports.drifts.of(op.key).length === 0) ports.drifts.record(op.key, NOT_SET_UP);
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
