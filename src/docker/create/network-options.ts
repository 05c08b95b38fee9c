/** Options of Docker's network drivers. What they do not know themselves they leave out, and so it is here. */
import { own } from '../../model/own.ts';
import { refuse } from './context.ts';

type Written = Readonly<Record<string, unknown>>;
type Rule = (value: string, name: string) => Written;

const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

function parseFlag(value: string, name: string): boolean {
  if (TRUE.includes(value)) return true;
  if (FALSE.includes(value)) return false;
  return refuse(
    `failed to parse ${name} value: ${value} (strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax)`,
  );
}

function parseNumber(value: string, name: string): number {
  if (/^[+-]?\d{1,15}$/.test(value)) return Number(value);
  return refuse(
    `failed to parse ${name} value: ${value} (strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax)`,
  );
}

const flag =
  (field: string): Rule =>
  (value, name) => ({ [field]: parseFlag(value, name) });

const word =
  (field: string): Rule =>
  (value) =>
    value === '' ? {} : { [field]: value };

/** Docker's default is no limit of its own. */
const mtu: Rule = (value, name) => {
  const bytes = value === '' ? 0 : parseNumber(value, name);
  return bytes === 0 ? {} : { mtu: bytes };
};

const unsupported: Rule = (_value, name) => refuse(`network option ${name} is not supported`);

/** Ports of every address are published, as the option says where it says nothing in particular. */
const binding: Rule = (value, name) => (['', '0.0.0.0'].includes(value) ? {} : unsupported(value, name));

const BRIDGE = 'com.docker.network.bridge.';
const COMMON: Readonly<Record<string, Rule>> = { 'com.docker.network.driver.mtu': mtu };

const OPTIONS: Readonly<Record<string, Readonly<Record<string, Rule>>>> = {
  bridge: {
    ...COMMON,
    [`${BRIDGE}name`]: word('bridgeName'),
    [`${BRIDGE}enable_icc`]: flag('icc'),
    [`${BRIDGE}enable_ip_masquerade`]: flag('masquerade'),
    [`${BRIDGE}host_binding_ipv4`]: binding,
    [`${BRIDGE}inhibit_ipv4`]: (value, name) => (parseFlag(value, name) ? unsupported(value, name) : {}),
    [`${BRIDGE}trusted_host_interfaces`]: unsupported,
    'com.docker.network.container_iface_prefix': unsupported,
    'com.docker.network.host_ipv4': unsupported,
    'com.docker.network.host_ipv6': unsupported,
  },
  macvlan: { ...COMMON, parent: word('parent'), macvlan_mode: word('mode') },
  ipvlan: { ...COMMON, parent: word('parent'), ipvlan_mode: word('mode') },
};

/** One mode for both families, or one for each. */
function gatewayMode(options: Readonly<Record<string, string>>): Written {
  const modes = Object.fromEntries(
    (['ipv4', 'ipv6'] as const).flatMap((family) => {
      const mode = own(options, `${BRIDGE}gateway_mode_${family}`) ?? '';
      return mode === '' ? [] : [[family, mode]];
    }),
  );
  return Object.keys(modes).length > 0 ? { gatewayMode: modes } : {};
}

/** As fields of a manifest. @param driver one that there is */
export function optionsOf(driver: string, options: Readonly<Record<string, string>>): Written {
  const written: Record<string, unknown> = driver === 'bridge' ? { ...gatewayMode(options) } : {};
  for (const [name, value] of Object.entries(options))
    Object.assign(written, own(OPTIONS[driver] ?? {}, name)?.(value, name));
  return written;
}
