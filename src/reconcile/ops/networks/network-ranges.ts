/** The subnets and gateways of a network that is made. Pure: what the host and other networks use is handed in. */
import type { NetworkRange } from '../../../drivers/contract/network.ts';
import { type Family, familyOf, firstHostOf, overlaps } from '../../../model/addresses.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import {
  chooseSubnet,
  describePools,
  type HostUse,
  type SubnetPool,
  type UsedSubnet,
  usedByHost,
  usersOfPools,
} from '../../../model/networks/address-pools.ts';
import type { NetworkDriverFields } from '../../../model/networks/driver-fields.ts';

/** What a new network is fitted in between. */
export interface Surroundings {
  readonly pools: Readonly<Record<Family, readonly SubnetPool[]>>;
  readonly host: HostUse;
  /** Subnets of our other networks. */
  readonly others: readonly UsedSubnet[];
}

interface RangeFields {
  readonly subnet: string | null;
  readonly gateway: string | null;
}

/** What is written of one family. */
function writtenRange({ spec }: Desired<'network'>, family: Family): RangeFields {
  return family === 'ipv4'
    ? { subnet: spec.subnet, gateway: spec.gateway }
    : { subnet: spec.subnet6, gateway: spec.gateway6 };
}

/** Everything in the way of a subnet: all that is in use where none is asked for. */
function inUse({ host, others }: Surroundings, wanted: string | null, known: string | null): UsedSubnet[] {
  return [...others, ...usedByHost(host, wanted).filter(({ subnet }) => subnet !== known)];
}

function positionOf(desired: Desired<'network'>, family: Family) {
  return desired.positions[family === 'ipv4' ? 'subnet' : 'subnet6'] ?? desired.source;
}

/** @throws TsdError TSD_SUBNET_CONFLICT */
function requireFree(desired: Desired<'network'>, subnet: string, used: readonly UsedSubnet[]): void {
  const clash = used.find((one) => overlaps(one.subnet, subnet));
  if (clash === undefined) return;
  throw new TsdError('TSD_SUBNET_CONFLICT', `subnet ${subnet} overlaps ${clash.subnet} (${clash.by})`, {
    key: desired.key,
    source: positionOf(desired, familyOf(subnet)),
  });
}

/** @throws TsdError TSD_ADDRESS_POOL_FULL, with what has the subnets */
function freeSubnet(desired: Desired<'network'>, { pools }: Surroundings, family: Family, used: readonly UsedSubnet[]) {
  const free = chooseSubnet(pools[family], used);
  if (free !== null) return free;
  const bases = describePools(pools[family]);
  const users = usersOfPools(pools[family], used);
  throw new TsdError('TSD_ADDRESS_POOL_FULL', `no free subnet in the address pools (${bases}); in use: ${users}`, {
    key: desired.key,
    source: desired.source,
    hint: `\`tsdocker get networks\` lists ours. Write a \`${family === 'ipv4' ? 'subnet' : 'subnet6'}\` of its own, remove a network, or start the supervisor with more pools (--default-address-pool base=10.96.0.0/12,size=24).`,
  });
}

/**
 * The range of a network in one family. One that it had stays, unless it is now in somebody's way.
 * @throws TsdError TSD_SUBNET_CONFLICT for a subnet that is asked for, TSD_ADDRESS_POOL_FULL
 */
export function chooseRange(
  desired: Desired<'network'>,
  around: Surroundings,
  family: Family,
  { known, driver }: RangeContext,
): NetworkRange {
  const written = writtenRange(desired, family);
  const previous = written.subnet ?? known?.subnet ?? null;
  // Containers on an interface of the host are in the network that its routes lead to.
  const host = driver.ofHost ? around.host : NOTHING_USED;
  const used = inUse({ ...around, host }, previous, known?.subnet ?? null);
  const isFree = previous !== null && !used.some((one) => overlaps(one.subnet, previous));
  if (written.subnet !== null) requireFree(desired, written.subnet, used);
  const subnet =
    written.subnet ?? (isFree ? (previous as string) : freeSubnet(desired, around, family, inUse(around, null, null)));
  const kept = subnet === known?.subnet ? known.gateway : null;
  const gateway = written.gateway ?? kept ?? (driver.ofHost ? firstHostOf(subnet) : null);
  return { subnet, gateway };
}

interface RangeContext {
  readonly known: NetworkRange | null;
  readonly driver: Pick<NetworkDriverFields, 'ofHost'>;
}

const NOTHING_USED: HostUse = { routes: [], nameServers: [] };
