/** Where names are resolved; an empty list says nothing. */
export interface DnsSettings {
  readonly servers: readonly string[];
  /** `.` alone: no search list at all. */
  readonly search: readonly string[];
}

/** A container cannot reach a resolver on the host's loopback. */
const LOCAL_SERVER = /^[ \t]*nameserver[ \t]+(127\.|::1\b).*\n?/gm;
const ANY_SERVER = /^[ \t]*nameserver[ \t]+\S/m;

/** What Docker writes where the host names no usable server. */
const PUBLIC_SERVERS = ['8.8.8.8', '8.8.4.4'];

const firstGiven = (...lists: readonly (readonly string[])[]): readonly string[] =>
  lists.find((list) => list.length > 0) ?? [];

function hostServers(hostText: string): readonly string[] {
  return [...hostText.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].map((match) => match[1] ?? '');
}

/** The last search line counts, as in resolv.conf(5). */
function hostSearch(hostText: string): readonly string[] {
  const last = [...hostText.matchAll(/^[ \t]*search[ \t]+(.+)$/gm)].at(-1)?.[1] ?? '';
  return last.split(/\s+/).filter((domain) => domain !== '');
}

function withUsableServers(hostText: string): string {
  const text = hostText.replace(LOCAL_SERVER, '');
  if (ANY_SERVER.test(text)) return text;
  return `${text}\n${PUBLIC_SERVERS.map((server) => `nameserver ${server}`).join('\n')}`;
}

/** Where the resolver answers in each container. */
const RESOLVER = '127.0.0.11';
const NOTE = '# The resolver of tsdocker: names of containers, and what the name servers behind it know.';

export interface ResolverConf {
  readonly text: string;
  /** As the host's file has it; null for ours. */
  readonly ndots: number | null;
}

/** Search domains of a file that may say them in either way; the last line counts. */
function searchOrDomain(hostText: string): readonly string[] {
  const last = [...hostText.matchAll(/^[ \t]*(?:search|domain)[ \t]+(.+)$/gm)].at(-1)?.[1] ?? '';
  return last.split(/\s+/).filter((domain) => domain !== '');
}

/**
 * /etc/resolv.conf of a container whose names are answered by the resolver, with the search domains of container, supervisor
 * or host, and the host's options. Without `ndots` of the host a name without a dot is first looked up as it is: names of
 * containers do not go out with a search domain behind them.
 */
export function buildResolverConf(
  container: Pick<DnsSettings, 'search'>,
  supervisor: Pick<DnsSettings, 'search'>,
  hostText: string,
): ResolverConf {
  const options = [...hostText.matchAll(/^[ \t]*options[ \t]+(.+)$/gm)].flatMap(([, words = '']) =>
    words.trim().split(/\s+/),
  );
  const given = options.flatMap((word) => /^ndots:(\d+)$/.exec(word)?.[1] ?? []).at(-1);
  const search = firstGiven(container.search, supervisor.search, searchOrDomain(hostText));
  const lines = [
    NOTE,
    `nameserver ${RESOLVER}`,
    ...(search.length === 0 || search[0] === '.' ? [] : [`search ${search.join(' ')}`]),
    `options ${[...options, ...(given === undefined ? ['ndots:0'] : [])].join(' ')}`,
  ];
  return { text: `${lines.join('\n')}\n`, ndots: given === undefined ? null : Number(given) };
}

/** What a file of this form says. */
export function readResolvConf(text: string): DnsSettings {
  return { servers: hostServers(text), search: hostSearch(text) };
}

/**
 * /etc/resolv.conf of a container with a network of its own. Where container or supervisor name servers or search
 * domains, each of the two comes from the container, else the supervisor, else the host; otherwise it is the host's file
 * without servers on its loopback. With the host's network the host's file is used as it is.
 */
export function buildResolvConf(container: DnsSettings, supervisor: DnsSettings, hostText: string): string {
  const given = [container.servers, container.search, supervisor.servers, supervisor.search];
  const usable = withUsableServers(hostText);
  if (given.every((list) => list.length === 0)) return usable;
  const servers = firstGiven(container.servers, supervisor.servers, hostServers(usable));
  const search = firstGiven(container.search, supervisor.search, hostSearch(hostText));
  const searchLine =
    search.length === 0 || (search.length === 1 && search[0] === '.') ? [] : [`search ${search.join(' ')}`];
  return `${[...servers.map((server) => `nameserver ${server}`), ...searchLine].join('\n')}\n`;
}
