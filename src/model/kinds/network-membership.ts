/** The networks that a container is on: forms of `networks` in manifests, and the one list that all forms mean. */
import { z } from 'zod';
import { canonicalAddress } from '../addresses.ts';
import { isBridged, networkMode } from '../network-mode.ts';
import { isHostName } from './port-forms.ts';
import { listOf, orNull, shortForm } from './schema-parts.ts';
import { type Parsed, parsed, refused } from './short-forms.ts';
import { isReference } from './storage-forms.ts';
import { interfaceSysctls } from './sysctl-forms.ts';

/** One network of a container. */
export interface NetworkMembership {
  /** `bridge` (the default one), `name` in the own app, or `app/name`. */
  readonly network: string;
  /** Names beside those that the container has on each of its networks. */
  readonly aliases: readonly string[];
  /** Fixed addresses; null for any free one. */
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  /** Null for the one that follows from the address. */
  readonly mac: string | null;
  /** The higher, the earlier its interface among those without a name of their own. */
  readonly priority: number;
  /** The highest has the default routes and the published ports. */
  readonly gatewayPriority: number;
  /** Null for the lowest free one of eth0, eth1... */
  readonly interfaceName: string | null;
  /** Of its interface, by name with IFNAME in the place of the interface's. Absent where there are none. */
  readonly sysctls?: Readonly<Record<string, string>> | undefined;
}

/** More of them would not be seen in a resolver's time, and each is a link of the host. */
const MAX_NETWORKS = 64;
const MAX_ALIASES = 64;
/** IFNAMSIZ - 1 (linux/if.h). */
const INTERFACE_NAME = /^(?!\.{1,2}$)[^\s/:%]{1,15}$/;
/** Neither loopback nor a directory of sysctls. */
const FREE_NAME = /^(?!(?:lo|all|default)$)/;

function parseIp(family: 'ipv4' | 'ipv6') {
  return (text: string): Parsed<string> => {
    const address = canonicalAddress(text);
    const is = address !== null && address.includes(':') === (family === 'ipv6');
    return is ? parsed(address) : refused(`expected an IPv${family === 'ipv4' ? 4 : 6} address`);
  };
}

/** `02:42:0a:50:00:05`, in lower case. A group address belongs to no interface. */
function parseMac(text: string): Parsed<string> {
  const mac = text.toLowerCase().replaceAll('-', ':');
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac))
    return refused('expected a MAC address, for example 02:42:0a:50:00:05');
  if (mac === '00:00:00:00:00:00' || Number.parseInt(mac.slice(0, 2), 16) % 2 === 1)
    return refused(`${text} is no address of a single interface`);
  return parsed(mac);
}

const priority = () =>
  z
    .int()
    .min(-(2 ** 31))
    .max(2 ** 31 - 1)
    .default(0);

const membership = z.strictObject({
  aliases: listOf(z.string().refine(isHostName, 'expected a host name')).refine(
    (aliases) => aliases.length <= MAX_ALIASES,
    `more than ${MAX_ALIASES} aliases`,
  ),
  ipv4: orNull(shortForm(z.string(), parseIp('ipv4'))),
  ipv6: orNull(shortForm(z.string(), parseIp('ipv6'))),
  mac: orNull(shortForm(z.string(), parseMac)),
  priority: priority(),
  gatewayPriority: priority(),
  interfaceName: orNull(
    z
      .string()
      .regex(INTERFACE_NAME, 'an interface name has 1 to 15 characters, without "/", ":", "%" or spaces')
      .regex(FREE_NAME, 'the kernel has lo, all and default for itself; choose another interface name'),
  ),
  sysctls: interfaceSysctls,
});

const networkName = z.string().refine((text) => {
  const mode = networkMode(text);
  return isBridged(mode) && (mode.type === 'bridge' || ('name' in mode && isReference(mode.name)));
}, 'expected the name of a network, or bridge for the default one; host, none and container:NAME are for `network`');

const ALONE: Omit<NetworkMembership, 'network'> = {
  aliases: [],
  ipv4: null,
  ipv6: null,
  mac: null,
  priority: 0,
  gatewayPriority: 0,
  interfaceName: null,
};

const byOrder = (a: NetworkMembership, b: NetworkMembership): number =>
  b.priority - a.priority || (a.network < b.network ? -1 : 1);

/** A list of names, or a mapping of names to settings; in the order of the interfaces. Null where it is left out. */
export const networks = orNull(
  z
    .union([z.array(networkName), z.record(networkName, membership.nullable())], {
      error: 'expected a list of networks, or a mapping of networks to their settings',
    })
    .transform((written, context): NetworkMembership[] => {
      const refuse = (message: string, path: string[] = []) => context.addIssue({ code: 'custom', message, path });
      const all = Array.isArray(written)
        ? written.map((network) => ({ network, ...ALONE }))
        : Object.entries(written).map(([network, settings]) => ({ network, ...(settings ?? ALONE) }));
      if (all.length === 0) refuse('the list is empty; write `network: none` for no network');
      if (all.length > MAX_NETWORKS) refuse(`more than ${MAX_NETWORKS} networks`);
      const seen = { network: new Set<string>(), interfaceName: new Set<string>() };
      for (const { network, interfaceName } of all) {
        if (seen.network.has(network)) refuse(`${network} is named twice`);
        if (interfaceName !== null && seen.interfaceName.has(interfaceName))
          refuse(`another network has the interface ${interfaceName}`, [network, 'interfaceName']);
        seen.network.add(network);
        if (interfaceName !== null) seen.interfaceName.add(interfaceName);
      }
      return all.sort(byOrder);
    }),
);

interface NetworkFields {
  readonly network: string;
  readonly networks: readonly NetworkMembership[] | null;
  readonly address: string | null;
}

/**
 * One form for what means the same: a single network without settings of its own is `network` and `address`. Otherwise
 * `network` is the first of them: who reads only that sees a container that is on a network.
 */
export function normalNetworks<T extends NetworkFields>(spec: T): T {
  const { networks: all } = spec;
  const first = all?.[0];
  if (!all || !first) return spec;
  const { network, ipv4, ipv6, mac, aliases, interfaceName, sysctls } = first;
  const isPlain = [aliases.length > 0, ipv6, mac, interfaceName, sysctls].every((set) => !set);
  if (all.length > 1 || !isPlain) return { ...spec, network };
  return { ...spec, network, networks: null, address: ipv4 };
}

/** The networks of a container, in the order of its interfaces; none where it has no address of its own. */
export function membershipsOf(spec: Partial<NetworkFields>): readonly NetworkMembership[] {
  // Absent in records of containers from before there were several.
  if (spec.networks) return spec.networks;
  const network = spec.network ?? 'bridge';
  return isBridged(networkMode(network)) ? [{ ...ALONE, network, ipv4: spec.address ?? null }] : [];
}

/**
 * The written field that a network of a container stands in, or a setting of it: in the mapping or list `networks`, or in
 * the single form.
 */
export function membershipField(
  { written, positions }: { readonly written: unknown; readonly positions: Readonly<Record<string, unknown>> },
  network: string,
  setting?: keyof NetworkMembership,
): string {
  const all = (written as { readonly networks?: unknown } | null)?.networks;
  if (all === undefined || all === null) return setting === 'ipv4' ? 'address' : 'network';
  if (Array.isArray(all)) return `networks.${all.indexOf(network)}`;
  const field = `networks.${network}`;
  return setting !== undefined && `${field}.${setting}` in positions ? `${field}.${setting}` : field;
}
