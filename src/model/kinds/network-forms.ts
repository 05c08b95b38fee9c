/** Short forms of a network's fields. */
import { z } from 'zod';
import {
  type Cidr,
  canonicalAddress,
  type Family,
  networkOf,
  overlaps,
  parseAddress,
  parseCidr,
} from '../addresses.ts';
import { orNull, shortForm } from './schema-parts.ts';
import { type Parsed, parsed, refused } from './short-forms.ts';

const GATEWAY_MODES = ['nat', 'nat-unprotected', 'routed', 'isolated'] as const;
export type GatewayMode = (typeof GATEWAY_MODES)[number];

interface SubnetForm {
  readonly name: string;
  readonly example: string;
  readonly prefix: readonly [shortest: number, longest: number];
  /** What no network of hosts can lie in, with why. */
  readonly reserved: readonly (readonly [string, string])[];
}

const SUBNETS: Readonly<Record<Family, SubnetForm>> = {
  ipv4: {
    name: 'IPv4',
    example: '10.80.0.0/24',
    prefix: [8, 30],
    reserved: [
      ['127.0.0.0/8', 'of the loopback interface'],
      ['224.0.0.0/4', 'for multicast'],
    ],
  },
  ipv6: {
    name: 'IPv6',
    example: 'fd12:3456:789a:1::/64',
    prefix: [8, 126],
    reserved: [
      ['::/8', 'reserved'],
      ['fe80::/10', 'link-local'],
      ['ff00::/8', 'for multicast'],
    ],
  },
};

function subnetOf(text: string, family: Family): Parsed<Cidr> {
  const { name, example } = SUBNETS[family];
  const cidr = parseCidr(text, family);
  return cidr ? parsed(cidr) : refused(`"${text}" is not an ${name} subnet; write for example ${example}`);
}

function network(text: string): Parsed<string> {
  const whole = networkOf(text);
  return whole === canonicalCidr(text)
    ? parsed(whole)
    : refused(`"${text}" has host bits set; the network is ${whole}`);
}

function canonicalCidr(text: string): string {
  const [address = '', length = ''] = text.split('/');
  return `${canonicalAddress(address)}/${length}`;
}

/** A network of one family in CIDR form, cleared of host bits: `10.80.0.7/24` is refused, `10.80.0.0/24` is not. */
function subnetForm(family: Family): (text: string) => Parsed<string> {
  return (text) => {
    const { prefix, reserved } = SUBNETS[family];
    // A length may be written as Go reads it: `10.0.0.0/08`.
    const written = text.trim().replace(/\/0(?=\d$)/, '/');
    const cidr = subnetOf(written, family);
    if (!cidr.ok) return refused(cidr.message.replace(written, text));
    const [shortest, longest] = prefix;
    if (cidr.value.prefixLength < shortest || cidr.value.prefixLength > longest)
      return refused(`"${text}": the prefix length must be between ${shortest} and ${longest}`);
    const within = reserved.find(([range]) => overlaps(range, written));
    return within ? refused(`"${text}": the addresses of ${within[0]} are ${within[1]}`) : network(written);
  };
}

/** @internal tests parse with it. */
export const parseSubnet = subnetForm('ipv4');
/** @internal tests parse with it. */
export const parseSubnet6 = subnetForm('ipv6');

/** A part of a network that addresses are given out from, in CIDR form. */
const rangeForm = (family: Family) => (text: string) => {
  const cidr = subnetOf(text.trim(), family);
  return cidr.ok ? network(text.trim()) : cidr;
};

/** An address of one family, in its one form: `fd00::1` for `FD00:0::1`. */
const addressForm = (family: Family) => (text: string) => {
  const address = parseAddress(text.trim(), family) && canonicalAddress(text.trim());
  return address ? parsed(address) : refused(`expected an ${SUBNETS[family].name} address`);
};

/** An address, or a network of them. */
function parseReserved(text: string): Parsed<string> {
  const written = text.trim();
  const address = canonicalAddress(written);
  if (address !== null) return parsed(address);
  return parseCidr(written) ? network(written) : refused(`"${text}" is neither an address nor a subnet`);
}

export const subnetField = (family: Family) => orNull(shortForm(z.string(), subnetForm(family)));
export const rangeField = (family: Family) => orNull(shortForm(z.string(), rangeForm(family)));
export const addressField = (family: Family) => orNull(shortForm(z.string(), addressForm(family)));

export const reservedField = () => orNull(z.array(shortForm(z.string(), parseReserved)).min(1).max(1024));

const gatewayMode = z.enum(GATEWAY_MODES);

/** One mode for both families, or one for each; null for the default. */
export const gatewayModeField = () =>
  orNull(
    z
      .union([gatewayMode, z.strictObject({ ipv4: gatewayMode.optional(), ipv6: gatewayMode.optional() })])
      .transform(
        (written): Readonly<Record<Family, GatewayMode | null>> =>
          typeof written === 'string'
            ? { ipv4: written, ipv6: written }
            : { ipv4: written.ipv4 ?? null, ipv6: written.ipv6 ?? null },
      ),
  );
