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
