/** Docker 1.4's jobs on the default bridge: for containers they tell what they have, for other things they lend it. */
import type { Engine } from '../../engine/engine.ts';
import type { Job } from '../../engine/job.ts';
import type { JobSpec } from '../../engine/job-spec.ts';
import { bareAddress, parseAddress, prefixLengthOf } from '../../model/addresses.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { DEFAULT_NETWORK } from '../../model/network-mode.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { endpointsOf, ownAddresses } from '../../state/containers/endpoints.ts';
import type { DefaultNetwork } from '../default-network.ts';
import type { Interface, LentInterfaces } from '../network/lent-interfaces.ts';
import type { TypedLinks } from '../network/typed-links.ts';
import { isYes, usageHint } from './parameters.ts';

const INIT: JobSpec = {
  name: 'init_networkdriver',
  summary: 'makes the default bridge and its rules, and registers the jobs on it; run again, it tries what failed',
  env: {
    EnableIptables: { text: 'as --iptables' },
    InterContainerCommunication: { text: 'as --icc' },
    EnableIpForward: { text: 'as --ip-forward' },
    EnableIpMasq: { text: 'as --ip-masq' },
    BridgeIface: { text: 'as -b' },
    BridgeIP: { text: 'as --bip' },
    FixedCIDR: { text: 'as --fixed-cidr' },
    DefaultBindingIP: { text: 'as --ip' },
  },
};

const ALLOCATE_INTERFACE: JobSpec = {
  name: 'allocate_interface',
  summary:
    'gives an address on the default bridge that no container gets, until the supervisor ends, or says which a container has',
  args: 'ID',
  env: {
    RequestedIP: { text: 'this address' },
    RequestedMac: { text: 'this hardware address; left out, 02:42 and the bytes of the address' },
  },
  stdout: 'a line of JSON: Bridge, Gateway, IP, IPPrefixLen, MacAddress, Mask',
};

const RELEASE_INTERFACE: JobSpec = {
  name: 'release_interface',
  summary: 'takes back what allocate_interface and allocate_port gave',
  args: 'ID',
};

const ALLOCATE_PORT: JobSpec = {
  name: 'allocate_port',
  summary:
    'leads a port of the host to an interface that was allocated, until the supervisor ends, or says which leads to a container',
  args: 'ID',
  env: {
    HostIP: { text: 'address of the host; left out, that of --ip' },
    HostPort: { text: 'port of the host; left out, any' },
    Proto: { text: 'tcp or udp; left out, tcp' },
    ContainerPort: { text: 'port at the interface' },
  },
  stdout: 'a line of JSON: HostIP, HostPort',
};

const LINK: JobSpec = {
  name: 'link',
  summary:
    'lets (-I) a container reach ports of an address where --icc=false forbids it, until the supervisor ends, or takes that back (-D)',
  args: '-I|-D',
  env: {
    ParentIP: { text: 'address of the container that connects' },
    ChildIP: { text: 'address that it reaches' },
    Ports: { text: 'a JSON list, as ["80/tcp"]' },
    IgnoreErrors: { text: '1: what cannot be done is no error' },
  },
};

export const NETWORK_JOBS: readonly JobSpec[] = [INIT, ALLOCATE_INTERFACE, RELEASE_INTERFACE, ALLOCATE_PORT, LINK];

export interface NetworkJobsParts {
  readonly defaultNetwork: Pick<DefaultNetwork, 'begin' | 'review' | 'config' | 'problem'>;
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly lent: LentInterfaces;
  readonly links: TypedLinks;
  readonly settings: NetworkSettings;
}

/** As the daemon was started. */
interface NetworkSettings {
  readonly iptables: boolean;
  readonly icc: boolean;
  readonly ipForward: boolean;
  readonly ipMasq: boolean;
  readonly bridge: string | null;
  readonly bip: string | null;
  readonly fixedCidr: string | null;
  readonly ip: string;
}

/** Registers the job that begins, and runs it. @throws TSD_FLAG for settings that contradict each other or the host. */
export async function initNetworkDriver(engine: Engine, parts: NetworkJobsParts): Promise<void> {
  const env = environmentOf(parts.settings);
  let begun = false;
  engine.register(INIT, (job) => {
    refuseOthers(job, env);
    if (begun) parts.defaultNetwork.review();
    else {
      parts.defaultNetwork.begin();
      registerJobs(engine, parts);
      begun = true;
    }
    return undefined;
  });
  await engine.job(INIT.name, [], { env }).run();
}

function environmentOf(settings: NetworkSettings): Readonly<Record<string, string>> {
  const flag = (value: boolean): string => (value ? '1' : '0');
  return {
    EnableIptables: flag(settings.iptables),
    InterContainerCommunication: flag(settings.icc),
    EnableIpForward: flag(settings.ipForward),
    EnableIpMasq: flag(settings.ipMasq),
    BridgeIface: settings.bridge ?? '',
    BridgeIP: settings.bip ?? '',
    FixedCIDR: settings.fixedCidr ?? '',
    DefaultBindingIP: settings.ip,
  };
}

function refuseOthers(job: Job, settings: Readonly<Record<string, string>>): void {
  for (const name of Object.keys(INIT.env ?? {})) {
    const given = job.env.get(name);
    if (given === '' || given === settings[name] || isSameFlag(given, settings[name])) continue;
    throw new TsdError('TSD_BAD_REQUEST', `${name} is ${settings[name] || 'not set'} in the supervisor that runs`, {
      hint: `${INIT.env?.[name]?.text} it is a setting of \`tsdocker daemon\`, which a restart changes.`,
    });
  }
}

/** `true` for a setting that is `1`. */
const isSameFlag = (given: string, setting = ''): boolean =>
  (setting === '1' && isYes(given)) || (setting === '0' && /^(false|no)$/i.test(given));

function registerJobs(engine: Engine, parts: NetworkJobsParts): void {
  engine.register(ALLOCATE_INTERFACE, async (job) => {
    await job.stdout.write(`${JSON.stringify(shownInterface(allocate(job, idOf(job), parts)))}\n`);
    return undefined;
  });
  engine.register(RELEASE_INTERFACE, (job) => {
    const id = idOf(job);
    if (parts.lent.release(id)) return undefined;
    if (containerOf(parts, id) !== null) {
      throw new TsdError('TSD_BAD_REQUEST', `container ${id} has its interface as long as it is declared`, {
        hint: `\`tsdocker rm ${id}\` removes it with its interface.`,
      });
    }
    throw new TsdError('TSD_NO_SUCH_RESOURCE', `No network information to release for ${id}`, { hint: '' });
  });
  engine.register(ALLOCATE_PORT, async (job) => {
    const port = await allocatePort(job, idOf(job), parts);
    await job.stdout.write(`${JSON.stringify({ HostIP: port.hostIp, HostPort: port.hostPort })}\n`);
    return undefined;
  });
  engine.register(LINK, (job) => link(job, parts));
}

function idOf(job: Job): string {
  const [id] = job.args;
  if (id !== undefined && id !== '' && job.args.length === 1) return id;
  throw new TsdError('TSD_BAD_REQUEST', `${job.name} needs an ID`, { hint: usageHint(job.spec) });
}

/** By its id, the beginning of that, or its name. */
function containerOf({ containers }: NetworkJobsParts, id: string): ContainerRecord | null {
  const isPrefix = /^[0-9a-f]{12,64}$/.test(id);
  const found = containers
    .all()
    .find(
      (one) => (isPrefix && one.id.startsWith(id)) || one.engineName === id || one.owner?.key === `container/${id}`,
    );
  return found ?? null;
}

function allocate(job: Job, id: string, parts: NetworkJobsParts): Interface {
  const requested = addressFrom(job, 'RequestedIP');
  const container = containerOf(parts, id);
  if (container === null) {
    const { config, problem } = parts.defaultNetwork;
    if (config !== null) return parts.lent.allocate(id, config, requested, macFrom(job));
    throw new TsdError('TSD_NETWORK', `there is no default bridge: ${problem ?? 'it is switched off (-b none)'}`);
  }
  const own = interfaceOf(container);
  if (own === null) throw new TsdError('TSD_NETWORK', `container ${container.engineName} has no interface`);
  if (requested === null || requested === own.address) return own;
  throw new TsdError('TSD_BAD_REQUEST', `container ${container.engineName} has ${own.address}`, {
    hint: `Write \`address: ${requested}\` into its manifest.`,
  });
}

/** That on the default bridge, whose jobs these are; else the one that leads out. */
function interfaceOf(container: ContainerRecord): Interface | null {
  const endpoints = endpointsOf(container).filter(({ ipv4 }) => ipv4 !== null);
  const endpoint =
    endpoints.find(({ network }) => network === DEFAULT_NETWORK) ??
    endpoints.find(({ defaultRoute }) => defaultRoute.ipv4) ??
    endpoints[0];
  if (endpoint?.ipv4 == null) return null;
  const { ipv4, gateway4, mac, bridge } = endpoint;
  return {
    address: bareAddress(ipv4),
    prefixLength: prefixLengthOf(ipv4),
    gateway: gateway4 ?? '',
    mac: mac ?? '',
    bridge,
  };
}

function shownInterface({ address, prefixLength, gateway, mac, bridge }: Interface): object {
  const mask = 2 ** 32 - 2 ** (32 - prefixLength);
  return {
    Bridge: bridge,
    Gateway: gateway,
    IP: address,
    IPPrefixLen: prefixLength,
    MacAddress: mac,
    Mask: mask.toString(16).padStart(8, '0'),
  };
}

interface HostPort {
  readonly hostIp: string;
  readonly hostPort: number;
}

async function allocatePort(job: Job, id: string, parts: NetworkJobsParts): Promise<HostPort> {
  const protocol = job.env.get('Proto') || 'tcp';
  if (protocol !== 'tcp' && protocol !== 'udp') throw bad(job, `Proto is tcp or udp, not ${protocol}`);
  const containerPort = portFrom(job, 'ContainerPort');
  if (containerPort === null) throw bad(job, 'ContainerPort is missing');
  const hostIp = addressFrom(job, 'HostIP') ?? parts.settings.ip;
  const hostPort = portFrom(job, 'HostPort');
  const container = containerOf(parts, id);
  if (container === null) {
    return { hostIp, hostPort: parts.lent.publish(id, { protocol, hostIp, hostPort, containerPort }) };
  }
  const published = container.network?.ports.find(
    (port) => port.containerPort === containerPort && port.protocol === protocol,
  );
  if (published !== undefined && (hostPort === null || hostPort === published.hostPort)) return published;
  throw new TsdError(
    'TSD_BAD_REQUEST',
    `container ${container.engineName} does not publish ${containerPort}/${protocol}`,
    {
      hint: `Write \`ports: ["${hostPort === null ? '' : `${hostPort}:`}${containerPort}/${protocol}"]\` into its manifest.`,
    },
  );
}

function link(job: Job, parts: NetworkJobsParts): undefined {
  const [action] = job.args;
  if (job.args.length !== 1 || (action !== '-I' && action !== '-D')) throw bad(job, 'link needs -I or -D');
  const [parent, child] = [addressFrom(job, 'ParentIP'), addressFrom(job, 'ChildIP')];
  if (parent === null || child === null) throw bad(job, 'link needs ParentIP and ChildIP');
  const ports = (job.env.getList('Ports') ?? []).map((text) => {
    const [, port = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
    if (!isPort(Number(port))) throw bad(job, `${text} is no port`);
    return { address: child, port: Number(port), protocol: protocol as 'tcp' | 'udp' };
  });
  if (ports.length === 0) throw bad(job, 'link needs Ports');
  try {
    if (action === '-I') addLink(parts, parent, child, ports);
    else parts.links.remove(parent, ports);
  } catch (error) {
    if (!job.env.getBool('IgnoreErrors')) throw error;
  }
  return undefined;
}

/** @throws TSD_NO_SUCH_RESOURCE for an address of nothing here: a rule for it would do nothing */
function addLink(
  { links, containers, lent }: NetworkJobsParts,
  parent: string,
  child: string,
  ports: Parameters<TypedLinks['add']>[1],
): void {
  const isKnown =
    lent.hasAddress(child) || containers.all().some((container) => ownAddresses(container).includes(child));
  if (!isKnown) throw new TsdError('TSD_NO_SUCH_RESOURCE', `no container and no interface has the address ${child}`);
  links.add(parent, ports);
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 1 && port <= 65_535;

function portFrom(job: Job, name: string): number | null {
  const text = job.env.get(name);
  if (text === '' || text === '0') return null;
  if (isPort(Number(text))) return Number(text);
  throw bad(job, `${name} is no port: ${text}`);
}

function addressFrom(job: Job, name: string): string | null {
  const text = job.env.get(name);
  if (text === '') return null;
  if (parseAddress(text, 'ipv4') !== null) return text;
  throw bad(job, `${name} is no IPv4 address: ${text}`);
}

/** As Docker does, one that does not parse is none. */
function macFrom(job: Job): string | null {
  const text = job.env.get('RequestedMac').toLowerCase();
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(text) ? text : null;
}

const bad = (job: Job, message: string): TsdError =>
  new TsdError('TSD_BAD_REQUEST', message, { hint: usageHint(job.spec) });
