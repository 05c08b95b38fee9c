/** What contradicts itself in one network. What a driver does not have is found where the drivers are known. */
import { containsAddress, containsNetwork, type Family, isHostAddress, overlaps } from '../addresses.ts';
import type { GatewayMode } from './network-forms.ts';

/** The fields that are judged here. */
export interface NetworkAddresses {
  readonly ipv4: boolean | null;
  readonly ipv6: boolean | null;
  readonly subnet: string | null;
  readonly gateway: string | null;
  readonly ipRange: string | null;
  readonly subnet6: string | null;
  readonly gateway6: string | null;
  readonly ipRange6: string | null;
  readonly reserved: readonly string[] | null;
  readonly mtu: number | null;
  readonly internal: boolean;
  readonly gatewayMode: Readonly<Record<Family, GatewayMode | null>> | null;
  readonly parent: string | null;
  readonly vlan: number | null;
}

interface Contradiction {
  readonly field: keyof NetworkAddresses;
  readonly message: string;
}

/** IPV6_MIN_MTU of include/uapi/linux/ipv6.h: a link with a smaller one has no IPv6. */
export const MIN_IPV6_MTU = 1280;
/** IFNAMSIZ - 1 of linux/if.h. */
const MAX_NAME = 15;

const FIELDS = {
  ipv4: { subnet: 'subnet', gateway: 'gateway', range: 'ipRange' },
  ipv6: { subnet: 'subnet6', gateway: 'gateway6', range: 'ipRange6' },
} as const;

/** The interface that a network's containers are on: `eth0`, or `eth0.10` of a VLAN. */
export function parentInterface({ parent, vlan }: Pick<NetworkAddresses, 'parent' | 'vlan'>): string | null {
  return parent === null || vlan === null ? parent : `${parent}.${vlan}`;
}

/** Whether a network has IPv6 is decided when it is made. Stored specs of earlier versions lack these fields. */
export function leavesIpv6Open({
  ipv4,
  ipv6,
  subnet6,
}: Partial<Pick<NetworkAddresses, 'ipv4' | 'ipv6' | 'subnet6'>>): boolean {
  return (ipv6 ?? null) === null && ipv4 !== false && (subnet6 ?? null) === null;
}

function ofFamily(spec: NetworkAddresses, family: Family): Contradiction[] {
  const names = FIELDS[family];
  const [subnet, gateway, range] = [spec[names.subnet], spec[names.gateway], spec[names.range]];
  if (spec[family] === false) {
    const given = [names.subnet, names.gateway, names.range].filter((name) => spec[name] !== null);
    return given.map((field) => ({ field, message: `${field} contradicts ${family}: false` }));
  }
  const found: Contradiction[] = [];
  const say = (field: keyof NetworkAddresses, message: string) => found.push({ field, message });
  if (gateway !== null && subnet === null) say(names.gateway, `a gateway needs a ${names.subnet}`);
  else if (gateway !== null && subnet !== null && !isHostAddress(gateway, subnet)) {
    say(names.gateway, `${gateway} is not a host address of ${subnet}`);
  }
  if (range !== null && subnet === null) say(names.range, `a range needs a ${names.subnet}`);
  else if (range !== null && subnet !== null && !containsNetwork(subnet, range)) {
    say(names.range, `${range} is not a part of ${subnet}`);
  }
  return found;
}

/** A reserved address outside of what is written down reserves nothing. */
function strayReservations({ reserved, subnet, subnet6 }: NetworkAddresses): Contradiction[] {
  const subnets = [subnet, subnet6].filter((written) => written !== null);
  const stray = (reserved ?? []).filter((entry) =>
    subnets.every((written) => (entry.includes('/') ? !overlaps(written, entry) : !containsAddress(written, entry))),
  );
  return stray.map((entry) => ({
    field: 'reserved',
    message:
      subnets.length === 0
        ? 'reserved addresses need a subnet or a subnet6'
        : `${entry} is not in ${subnets.join(' or ')}`,
  }));
}

function families({ ipv4, ipv6, mtu, subnet6 }: NetworkAddresses): Contradiction[] {
  if (ipv4 === false && ipv6 === false) {
    return [{ field: 'ipv6', message: 'a network has addresses of one family at least: ipv4 and ipv6 are both false' }];
  }
  const needed = ipv6 === true || ipv4 === false || subnet6 !== null;
  if (!needed || mtu === null || mtu >= MIN_IPV6_MTU) return [];
  return [{ field: 'mtu', message: `IPv6 needs an mtu of ${MIN_IPV6_MTU} at least; write ipv6: false to do without` }];
}

function gateways({ gatewayMode, internal }: NetworkAddresses): Contradiction[] {
  const isolated = gatewayMode !== null && [gatewayMode.ipv4, gatewayMode.ipv6].includes('isolated');
  return isolated && !internal ? [{ field: 'gatewayMode', message: 'isolated needs internal: true' }] : [];
}

function parents(spec: NetworkAddresses): Contradiction[] {
  const { parent, vlan, internal } = spec;
  const name = parentInterface(spec);
  if (vlan !== null && parent === null) return [{ field: 'vlan', message: 'a vlan needs a parent' }];
  if (name !== null && name.length > MAX_NAME) {
    return [{ field: 'vlan', message: `${name} is longer than the ${MAX_NAME} characters of an interface name` }];
  }
  if (parent === null || !internal) return [];
  const message = `an internal network cannot be on ${parent}, whose network its containers would reach; leave parent out`;
  return [{ field: 'parent', message }];
}

export function contradictions(spec: NetworkAddresses): readonly Contradiction[] {
  return [
    ...families(spec),
    ...ofFamily(spec, 'ipv4'),
    ...ofFamily(spec, 'ipv6'),
    ...strayReservations(spec),
    ...gateways(spec),
    ...parents(spec),
  ];
}
