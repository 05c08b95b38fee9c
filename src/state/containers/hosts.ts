import { TsdError } from '../../model/errors/errors.ts';
import { HOST_GATEWAY } from '../../model/kinds/port-forms.ts';

export interface HostsContent {
  /** The container's own addresses: a line for each. */
  readonly addresses: readonly string[];
  readonly hostname: string;
  readonly domainname: string;
  readonly links: readonly { readonly alias: string; readonly address: string }[];
  /** `name:address`; the address may itself contain colons, or be `host-gateway`. */
  readonly extraHosts: readonly string[];
  /** What `host-gateway` stands for, a line for each; without a network such lines are left out. */
  readonly hostGateway: readonly string[];
  /** Lines for the containers of its network, itself among them. Left out, none. */
  readonly names?: readonly string[];
}

/** pkg/networkfs/etchosts of Docker 1.4. */
const DEFAULT_LINES = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'ff00::0\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

function line(address: string, names: string): string {
  if (/[\r\n\t]/.test(address + names)) {
    throw new TsdError('TSD_CONTAINER_SETUP', `"${names}" cannot stand in a hosts file`, { step: 'write hosts' });
  }
  return `${address}\t${names}`;
}

function extraHostLines(entry: string, hostGateway: readonly string[]): string[] {
  const colon = entry.indexOf(':');
  const written = entry.slice(colon + 1);
  const addresses = written === HOST_GATEWAY ? hostGateway : [written];
  return addresses.map((address) => line(address, entry.slice(0, colon)));
}

/** The hosts file of the host with more names. */
export function withExtraHosts(text: string, extraHosts: readonly string[], hostGateway: readonly string[]): string {
  if (extraHosts.length === 0) return text;
  const lines = extraHosts.flatMap((entry) => extraHostLines(entry, hostGateway));
  return `${text === '' || text.endsWith('\n') ? text : `${text}\n`}${lines.join('\n')}\n`;
}

/** Lines between these are rewritten while the container runs; the payload can change the others. */
const NAMES_BEGIN = '# names on this network, kept by tsdocker';
const NAMES_END = '# end of the names on this network';

/** A hosts file with these names in place of those it has; everything else in it stays. */
export function withNames(text: string, names: readonly string[]): string {
  const lines = text.split('\n');
  const begin = lines.indexOf(NAMES_BEGIN);
  const end = lines.indexOf(NAMES_END, begin + 1);
  const block = names.length === 0 ? [] : [NAMES_BEGIN, ...names, NAMES_END];
  // Without its end it was cut off.
  const length = begin < 0 ? 0 : (end < 0 ? lines.length : end + 1) - begin;
  if (begin < 0 && lines.at(-1) === '') lines.pop();
  const at = begin < 0 ? lines.length : begin;
  const all = [...lines.slice(0, at), ...block, ...lines.slice(at + length)];
  return all.at(-1) === '' ? all.join('\n') : `${all.join('\n')}\n`;
}

const ownNames = (hostname: string, domainname: string): string =>
  domainname === '' ? hostname : `${hostname}.${domainname} ${hostname}`;

/** A hosts file with lines for these own addresses in place of those for the earlier ones; everything else in it stays. */
export function withOwnAddresses(
  text: string,
  { hostname, domainname }: Pick<HostsContent, 'hostname' | 'domainname'>,
  before: readonly string[],
  now: readonly string[],
): string {
  const names = ownNames(hostname, domainname);
  const lineOf = (address: string) => line(address, names);
  const earlier = new Set(before.map(lineOf));
  return [...now.map(lineOf), ...text.split('\n').filter((one) => !earlier.has(one))].join('\n');
}

/** /etc/hosts of a container: itself, the loopback names, its links, extra hosts, and the names of its network. */
export function buildHosts(content: HostsContent): string {
  const { addresses, hostname, domainname } = content;
  const names = ownNames(hostname, domainname);
  const lines = [
    ...addresses.map((address) => line(address, names)),
    ...DEFAULT_LINES,
    ...content.links.map((link) => line(link.address, link.alias)),
    ...content.extraHosts.flatMap((entry) => extraHostLines(entry, content.hostGateway)),
  ];
  return withNames(`${lines.join('\n')}\n`, content.names ?? []);
}

/** /etc/hostname of a container. */
export function buildHostname(hostname: string, domainname: string): string {
  return domainname === '' ? `${hostname}\n` : `${hostname}.${domainname}\n`;
}
