/** What other tools say of a network (subnets, addresses, options of its driver) as fields of ours. */
import { familyOf, firstHostOf, formatAddress, parseAddress, parseCidr, rangeOf } from '../../model/addresses.ts';
import type { SourcePosition } from '../../model/resource.ts';
import type { ResourceDraft } from './draft.ts';

/** A text of a foreign file, with its place. */
export interface Written {
  readonly text: string;
  readonly at: SourcePosition;
}

type Field = 'subnet' | 'gateway' | 'ipRange';

/** `subnet` or `subnet6`, by the address that is written. */
export const fieldOf = (field: Field, text: string): string => (familyOf(text) === 'ipv6' ? `${field}6` : field);

/** Names of these drivers that mean a bridge: there is one host. */
const BRIDGES = ['bridge', 'default', 'overlay', ''];

/** The driver as it is called here. One that is not there is refused, with its place, where drivers are known. */
export function setDriver(network: ResourceDraft, { text, at }: Written): void {
  if (text === 'overlay') network.warn(at, 'driver overlay: there is one host; it is a bridge');
  if (!BRIDGES.includes(text)) network.set('driver', text, at);
}

/** Sets a field of the family that the address has; a second one of a family is left out. */
export function setAddress(network: ResourceDraft, field: Field, { text, at }: Written): void {
  const name = fieldOf(field, text);
  const known = network.get(name);
  if (known === undefined) network.set(name, text, at);
  else network.warn(at, `${text}: the network has the ${name} ${String(known)}, and no second one`);
}

/** Addresses that are never given out. */
export function addReserved(network: ResourceDraft, { text, at }: Written): void {
  network.append('reserved', text, at);
}

/** The fewest networks that are exactly the addresses of a range. */
function blocksOf(family: 'ipv4' | 'ipv6', first: bigint, last: bigint): string[] {
  const bits = family === 'ipv4' ? 32 : 128;
  const blocks: string[] = [];
  for (let start = first; start <= last; ) {
    let length = bits;
    const sizeOf = (prefix: number): bigint => 1n << BigInt(bits - prefix);
    while (length > 0 && start % sizeOf(length - 1) === 0n && start + sizeOf(length - 1) - 1n <= last) length--;
    blocks.push(`${formatAddress({ family, value: start })}/${length}`);
    start += sizeOf(length);
  }
  return blocks;
}

/**
 * A range, also in the form `10.80.0.10-10.80.0.50`: the smallest network around it, whose other addresses are reserved.
 */
export function setRange(network: ResourceDraft, written: Written): void {
  const [from = '', to] = written.text.split('-');
  if (to === undefined) {
    setAddress(network, 'ipRange', written);
    return;
  }
  const [first, last] = [parseAddress(from.trim()), parseAddress(to.trim())];
  if (first === null || last === null || first.family !== last.family || first.value > last.value) {
    network.refuse(written.at, `${JSON.stringify(written.text.slice(0, 90))} is not a range of addresses`);
    return;
  }
  const { family } = first;
  const bits = family === 'ipv4' ? 32 : 128;
  const prefixLength = bits - (first.value ^ last.value).toString(2).replace(/^0$/, '').length;
  const around = rangeOf({ family, address: first.value, prefixLength });
  const text = `${formatAddress({ family, value: around.first })}/${prefixLength}`;
  setAddress(network, 'ipRange', { text, at: written.at });
  for (const block of [
    ...blocksOf(family, around.first, first.value - 1n),
    ...blocksOf(family, last.value + 1n, around.last),
  ]) {
    addReserved(network, { text: block, at: written.at });
  }
}

type Option = (network: ResourceDraft, written: Written) => void;

const text =
  (field: string): Option =>
  (network, { text, at }) =>
    network.set(field, text, at);

const number =
  (field: string): Option =>
  (network, { text, at }) => {
    const value = Number(text);
    if (text.trim() !== '' && Number.isFinite(value)) network.set(field, value, at);
    else network.refuse(at, `expected a number, found ${JSON.stringify(text.slice(0, 40))}`);
  };

/** As strconv.ParseBool of Go reads it. */
const flag =
  (field: string): Option =>
  (network, { text, at }) => {
    if (/^(1|t|true)$/i.test(text)) network.set(field, true, at);
    else if (/^(0|f|false)$/i.test(text)) network.set(field, false, at);
    else network.refuse(at, `expected true or false, found ${JSON.stringify(text.slice(0, 40))}`);
  };

const gatewayMode =
  (family: 'ipv4' | 'ipv6'): Option =>
  (network, { text, at }) =>
    network.put('gatewayMode', family, text, at);

const leftOut =
  (why: string): Option =>
  (network, { at }) =>
    network.warn(at, why);

const BRIDGE = 'com.docker.network.bridge.';

/** Options of Docker's drivers and of Podman's, by their names. */
const OPTIONS: Readonly<Record<string, Option>> = {
  [`${BRIDGE}name`]: text('bridgeName'),
  [`${BRIDGE}enable_icc`]: flag('icc'),
  [`${BRIDGE}enable_ip_masquerade`]: flag('masquerade'),
  [`${BRIDGE}gateway_mode_ipv4`]: gatewayMode('ipv4'),
  [`${BRIDGE}gateway_mode_ipv6`]: gatewayMode('ipv6'),
  [`${BRIDGE}inhibit_ipv4`]: leftOut(
    'inhibit_ipv4: the bridge has the address of the gateway; gatewayMode isolated is without',
  ),
  [`${BRIDGE}trusted_host_interfaces`]: leftOut(
    'trusted_host_interfaces: hosts behind them reach published ports; directAccess: true of a manifest opens all, for every interface',
  ),
  'com.docker.network.driver.mtu': number('mtu'),
  'com.docker.network.enable_ipv4': flag('ipv4'),
  'com.docker.network.enable_ipv6': flag('ipv6'),
  'com.docker.network.container_iface_prefix': leftOut(
    'container_iface_prefix: interfaces are eth0, eth1...; interface_name of a service gives one a name',
  ),
  'com.docker.network.host_ipv4': leftOut('host_ipv4: packets leave with the address that the kernel chooses'),
  'com.docker.network.host_ipv6': leftOut('host_ipv6: packets leave with the address that the kernel chooses'),
  mtu: number('mtu'),
  parent: text('parent'),
  macvlan_mode: text('mode'),
  ipvlan_mode: text('mode'),
  ipvlan_flag: (network, { text, at }) => {
    if (text !== 'bridge')
      network.refuse(at, `ipvlan_flag ${text.slice(0, 40)}: containers of a network reach each other`);
  },
  encrypted: leftOut('encrypted: there is one host, so no packet of the network is on a wire'),
};

/** Takes an option of a driver over, or tells that it is left out. */
export function addDriverOption(network: ResourceDraft, name: string, written: Written): void {
  const option = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
  if (option) option(network, written);
  else network.warn(written.at, `option ${JSON.stringify(name.slice(0, 80))} is left out`);
}

const WITHOUT_GATEWAY = ['l3', 'l3s'];

/**
 * On a network of the host's own, Docker and Podman take the first address of a subnet for the router where none is
 * written; here there would be no default route.
 */
export function assumeRouter(network: ResourceDraft): void {
  const isOfWire = network.get('driver') === 'macvlan' || network.get('driver') === 'ipvlan';
  if (!isOfWire || network.get('internal') === true || WITHOUT_GATEWAY.includes(String(network.get('mode')))) return;
  for (const [subnet, gateway] of [
    ['subnet', 'gateway'],
    ['subnet6', 'gateway6'],
  ] as const) {
    const written = network.get(subnet);
    if (typeof written !== 'string' || network.get(gateway) !== undefined || parseCidr(written) === null) continue;
    const router = firstHostOf(written);
    const at = network.placeOf(subnet);
    network.warn(at, `the router is ${router}, the first address of ${written}, as no gateway is written`);
    network.set(gateway, router, at);
  }
}
