/**
 * Which values the settings of the daemon may have. Rules and conflicts are those of Docker 1.4's daemon with its texts; the
 * drivers judge their own names and options.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { DEFAULT_GROUP, parseHost } from '../api/address.ts';
import { type HttpAddress, parseHttpAddress } from '../api/http-address.ts';
import { bareAddress, containsNetwork, isHostAddress, parseCidr } from '../model/addresses.ts';
import type { TsdError } from '../model/errors/errors.ts';
import { type Parsed, parseBytes, parseDuration } from '../model/kinds/short-forms.ts';
import { parseSubnetPool, type SubnetPool } from '../model/networks/address-pools.ts';
import { LOG_LEVELS, type SettingName } from './settings.ts';

const absolutePath = z.string().refine((path) => path.startsWith('/'), 'must be an absolute path');
const boolean = z.union([z.boolean(), z.stringbool()], 'must be true or false');
const textList = z.union([
  z.array(z.string()),
  z.string().transform((text) => text.split(',').map((item) => item.trim())),
]);
const listOf = (check: (item: string) => string | null) =>
  textList.default([]).superRefine((items, context) => {
    for (const item of items) {
      const problem = check(item);
      if (problem !== null) context.addIssue({ code: 'custom', message: problem });
    }
  });

/** IFNAMSIZ - 1 of linux/if.h; no slash, no white space (dev_valid_name). */
const interfaceName = z.string().refine((name) => /^[^\s/:]{1,15}$/.test(name) && !/^\.\.?$/.test(name), {
  error: (issue) => `${issue.input} is no interface name: at most 15 characters, without spaces, colons and slashes`,
});

const cidr = z.string().refine((text) => parseCidr(text, 'ipv4') !== null, {
  error: (issue) => `invalid CIDR address: ${issue.input}`,
});

/** The gateway of the default bridge with its prefix: neither the network's own address nor its broadcast. */
const bridgeAddress = cidr.refine((text) => {
  const parsed = parseCidr(text, 'ipv4');
  if (parsed === null) return true;
  return parsed.prefixLength <= 30 && isHostAddress(bareAddress(text), text);
}, 'must be an address of a host in its subnet, for example 10.90.0.1/16');

/** validateDomain of opts/opts.go. */
const DOMAIN = /^([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])(\.([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9]))*\.?$/i;
const isSearchDomain = (text: string) => text === '.' || (/[a-z]/i.test(text) && DOMAIN.test(text));

/** ValidateMirror of opts/opts.go: no path, user, query or fragment. */
const isMirror = (text: string) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  return (
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.pathname === '/' &&
    url.username + url.search + url.hash === ''
  );
};
const isRegistryOrCidr = (text: string) => {
  const [address = '', prefix, ...rest] = text.split('/');
  if (prefix === undefined) return /^(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:\d{1,5})?$/i.test(text);
  const bits = isIP(address) === 6 ? 128 : 32;
  return rest.length === 0 && isIP(address) !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits;
};

const isHost = (text: string) => {
  try {
    parseHost(text);
    return null;
  } catch (thrown) {
    return `${(thrown as TsdError).message}; ${(thrown as TsdError).hint}`;
  }
};

const notAnAddress = (text: string) => (isIP(text) === 0 ? `${text} is not an ip address` : null);

const httpAddress = z.string().transform((text, context): HttpAddress => {
  try {
    return parseHttpAddress(text);
  } catch (thrown) {
    context.addIssue({ code: 'custom', message: `${(thrown as TsdError).message}; ${(thrown as TsdError).hint}` });
    return z.NEVER;
  }
});
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
/** A man in the middle could grant names to a key of his own. */
const trustBase = z.string().transform((text, context): URL => {
  const url = URL.canParse(text) ? new URL(text) : null;
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && LOOPBACK.test(url.hostname));
  if (url !== null && isSafe) return url;
  context.addIssue({ code: 'custom', message: `${text} is no https address; http is for this host alone` });
  return z.NEVER;
});
/** A text in one of the short forms of manifests. */
const shortForm = (parse: (text: string | number) => Parsed<number>) =>
  z.union([z.string(), z.number()]).transform((text, context) => {
    const value = parse(text);
    if (value.ok) return value.value;
    context.addIssue({ code: 'custom', message: value.message });
    return z.NEVER;
  });
const duration = shortForm(parseDuration);
const size = shortForm(parseBytes);
const percent = z.coerce.number('must be a number').min(1, 'must be 1 to 100').max(100, 'must be 1 to 100');

/** Each text is a pool, or a part of one where the variable was cut at its commas. */
const addressPools = z
  .union([
    textList.transform((items) => items.join(',').split(/,(?=\s*base=)/)),
    z
      .array(z.strictObject({ base: z.string(), size: z.number() }))
      .transform((pools) => pools.map(({ base, size }) => `base=${base},size=${size}`)),
  ])
  .transform((pools, context): SubnetPool[] =>
    pools.flatMap((text) => {
      if (text === '') return [];
      const pool = parseSubnetPool(text);
      if (pool.ok) return [pool.value];
      context.addIssue({ code: 'custom', message: pool.message });
      return [];
    }),
  );

const shape = {
  root: absolutePath.default('/var/lib/tsdocker'),
  runDir: absolutePath.default('/run/tsdocker'),
  /** Unset: in the root. */
  tmpdir: absolutePath.optional(),
  manifests: absolutePath.default('/etc/tsdocker/manifests'),
  /** Empty: the default socket in the run directory. */
  host: listOf(isHost),
  group: z.string().default(DEFAULT_GROUP),
  /** Empty: none. */
  pidfile: z
    .string()
    .refine((path) => path === '' || path.startsWith('/'), 'must be an absolute path')
    .optional(),
  apiOverride: z.enum(['refuse', 'allow']).default('refuse'),
  defaultBridge: interfaceName.default('tsdocker0'),
  bridge: interfaceName.optional(),
  bip: bridgeAddress.optional(),
  fixedCidr: cidr.optional(),
  /** Empty: the default ones, as for a family that none is of. */
  defaultAddressPool: addressPools.prefault([]),
  ipv6: z.union([boolean, z.literal('auto')], 'must be true, false or auto').default('auto'),
  /** 0 takes the MTU of the default route. */
  mtu: z.coerce
    .number('must be a number')
    .int()
    .refine((mtu) => mtu === 0 || (mtu >= 68 && mtu <= 65_535), 'must be 0 or between 68 and 65535')
    .default(0),
  icc: boolean.default(true),
  ipMasq: boolean.default(true),
  iptables: boolean.default(true),
  ipForward: boolean.default(true),
  ip: z
    .string()
    .refine((text) => isIP(text) !== 0, { error: (issue) => `${issue.input} is not an ip address` })
    .default('0.0.0.0'),
  hostGatewayIp: listOf(notAnAddress).refine(
    (addresses) => new Set(addresses.map(isIP)).size === addresses.length,
    'host-gateway has at most one address of each family',
  ),
  dns: listOf(notAnAddress),
  dnsSearch: listOf((text) => (isSearchDomain(text) ? null : `${text} is not a valid domain`)),
  storageDriver: z.string().min(1).optional(),
  storageOpt: listOf((text) => (text.includes('=') ? null : `bad option format: ${text}`)),
  registryMirror: listOf((text) => (isMirror(text) ? null : `${text} is not the http(s) address of a registry`)),
  insecureRegistry: listOf((text) => (isRegistryOrCidr(text) ? null : `${text} is not a host, host:port or CIDR`)),
  /** Unset: in the root. */
  trustKey: absolutePath.optional(),
  /** Unset: the default file, which may be missing. */
  trustPolicy: absolutePath.optional(),
  trustBase: trustBase.optional(),
  gcInterval: duration.default(300_000),
  gcHigh: percent.default(85),
  gcLow: percent.default(80),
  gcMinAge: duration.default(120_000),
  imageBudget: size.optional(),
  logBudget: size.optional(),
  keepGenerations: z.coerce
    .number('must be a number')
    .int()
    .min(1, 'must be at least 1')
    .max(100, 'at most 100 generations are kept')
    .default(10),
  execDriver: z.string().min(1).default('native'),
  discardLimits: boolean.default(false),
  label: listOf((text) => (text.split('=').length === 2 ? null : `bad attribute format: ${text}`)),
  debug: boolean.default(false),
  logLevel: z.enum(LOG_LEVELS, { error: (issue) => `Unable to parse logging level: ${issue.input}` }).default('info'),
  metrics: httpAddress.optional(),
  web: httpAddress.optional(),
  remoteHttp: boolean.default(false),
  restart: boolean.default(true),
  selinuxEnabled: boolean
    .default(false)
    .refine(
      (asked) => !asked,
      'SELinux labels are not put on containers yet, and without them nothing would be confined. Leave it out; AppArmor, seccomp and capabilities apply as always.',
    ),
  stopContainers: boolean.default(false),
} satisfies Record<SettingName, z.ZodType>;

export const settingsSchema = z.strictObject(shape).superRefine((settings, context) => {
  const conflict = (path: SettingName, message: string) => context.addIssue({ code: 'custom', path: [path], message });
  if (settings.bridge !== undefined && settings.bip !== undefined) {
    conflict('bip', 'You specified -b & --bip, mutually exclusive options. Please specify only one.');
  }
  if (!settings.iptables && !settings.icc) {
    conflict(
      'icc',
      'You specified --iptables=false with --icc=false. ICC uses iptables to function. Please set --icc or --iptables to true.',
    );
  }
  for (const name of ['metrics', 'web'] as const) {
    const address = settings[name];
    if (address?.type !== 'tcp' || address.loopback || settings.remoteHttp) continue;
    conflict(
      name,
      `others reach ${address.host}, and nothing here is encrypted or asks for a login. Use 127.0.0.1, or --remote-http.`,
    );
  }
  if (settings.gcLow > settings.gcHigh) conflict('gcLow', 'must not be above --gc-high');
  const isCidr = (text: string | undefined): text is string => text !== undefined && parseCidr(text, 'ipv4') !== null;
  const { bip, fixedCidr } = settings;
  if (isCidr(bip) && isCidr(fixedCidr) && !containsNetwork(bip, fixedCidr)) {
    conflict('fixedCidr', `${fixedCidr} does not lie within the bridge's subnet ${bip}`);
  }
});

export type Settings = z.output<typeof settingsSchema>;
