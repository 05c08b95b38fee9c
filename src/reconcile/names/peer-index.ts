/** An index of containers by name and network. Pure data; lookups return a fixed order. */
import { bareAddress } from '../../model/addresses.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { append } from '../../model/lists.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { endpointsOf } from '../../state/containers/endpoints.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';

/** A hosts file names so many others at the most; a resolver reads it line by line at every lookup. */
export const MAX_PEERS = 256;

export interface Peer {
  readonly key: ResourceKey;
  readonly app: string;
  /** Inside its app. */
  readonly name: string;
  readonly engineName: string;
  /** Those that its declaration gives it. */
  readonly hostnames: readonly string[];
  readonly bridge: string;
  readonly address: string;
}

/** On each of its networks; none for one that is beside the container whose name counts. */
export function peersOf(record: Pick<ContainerRecord, 'owner' | 'network' | 'endpoints' | 'engineName'>): Peer[] {
  const { owner, engineName } = record;
  if (owner === null || baseKey(owner.key) !== owner.key) return [];
  const { key } = owner;
  const { app, name } = parseKey(key);
  const hostnames = hostnamesOf(containerSpecOf(owner));
  return endpointsOf(record).flatMap(({ bridge, ipv4, aliases }) => {
    if (ipv4 === null) return [];
    return [{ key, app, name, engineName, hostnames: [...hostnames, ...aliases], bridge, address: bareAddress(ipv4) }];
  });
}

/** Those that a declaration gives. */
export function hostnamesOf({ hostname = null, domainname = '' }: Partial<ContainerSpec>): readonly string[] {
  if (hostname === null) return [];
  return domainname === '' ? [hostname] : [`${hostname}.${domainname}`, hostname];
}

export function samePeers(a: readonly Peer[], b: readonly Peer[]): boolean {
  return a.length === b.length && a.every((peer, index) => samePeer(peer, b[index] as Peer));
}

function samePeer(a: Peer, b: Peer): boolean {
  return (
    a.key === b.key &&
    a.bridge === b.bridge &&
    a.address === b.address &&
    a.engineName === b.engineName &&
    a.hostnames.join(' ') === b.hostnames.join(' ')
  );
}

type Apps = Map<string, Peer[]>;

/** Returns the index of a peer among those of its app, or where it would be inserted. */
function placeOf(peers: readonly Peer[], { key }: Peer): number {
  let [low, high] = [0, peers.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((peers[middle] as Peer).key < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What the files of one app's containers on a network have in common. */
interface Shared {
  readonly lines: readonly string[];
  readonly names: ReadonlySet<string>;
}

export class PeerIndex {
  /** By bridge, by app, in the order of their keys. */
  readonly #networks = new Map<string, Apps>();
  /** Keyed by bridge and app; cleared when a container on the network comes, goes or changes. */
  readonly #shared = new Map<string, Map<string, Shared>>();

  add(peer: Peer): void {
    const apps: Apps = this.#networks.get(peer.bridge) ?? new Map();
    const peers = apps.get(peer.app) ?? [];
    peers.splice(placeOf(peers, peer), 0, peer);
    this.#networks.set(peer.bridge, apps.set(peer.app, peers));
    this.#shared.delete(peer.bridge);
  }

  remove(peer: Peer): void {
    const apps = this.#networks.get(peer.bridge);
    const peers = apps?.get(peer.app);
    if (!apps || !peers) return;
    this.#shared.delete(peer.bridge);
    peers.splice(placeOf(peers, peer), 1);
    if (peers.length === 0) apps.delete(peer.app);
    if (apps.size === 0) this.#networks.delete(peer.bridge);
  }

  /** How many of a network a hosts file does not name. */
  leftOut(bridge: string): number {
    const apps = this.#networks.get(bridge);
    const all = [...(apps?.values() ?? [])].reduce((sum, peers) => sum + peers.length, 0);
    return Math.max(0, all - 1 - MAX_PEERS);
  }

  /**
   * Returns the hosts file lines of a container. When the whole network fits, the lines are built once per app.
   * @param taken names that the file has for something else already
   */
  lines(bridge: string, app: string, self: ResourceKey, taken: ReadonlySet<string>): readonly string[] {
    if (this.leftOut(bridge) > 0) return peerLines(this.of(bridge, app, self), app, taken);
    const known = this.#shared.get(bridge) ?? new Map<string, Shared>();
    let shared = known.get(app);
    if (!shared) {
      const lines = peerLines(this.of(bridge, app, self), app, new Set());
      shared = { lines, names: new Set(lines.flatMap((line) => line.split(/[\t ]/).slice(1))) };
      this.#shared.set(bridge, known.set(app, shared));
    }
    const { lines, names } = shared;
    return [...taken].some((name) => names.has(name)) ? peerLines(this.of(bridge, app, self), app, taken) : lines;
  }

  /** As many as a hosts file names for a container: itself, its own app, then the other apps by their names. */
  of(bridge: string, app: string, self: ResourceKey): readonly Peer[] {
    const apps = this.#networks.get(bridge);
    if (!apps) return [];
    const own = apps.get(app) ?? [];
    const found = [...own];
    if (apps.size > 1 && found.length <= MAX_PEERS) {
      for (const other of [...apps.keys()].sort()) {
        if (other !== app) append(found, apps.get(other) ?? []);
        if (found.length > MAX_PEERS) break;
      }
    }
    const shown = found.slice(0, MAX_PEERS + 1);
    if (found.length === shown.length || shown.some(({ key }) => key === self)) return shown;
    const it = own.find(({ key }) => key === self);
    return it ? [...shown.slice(0, MAX_PEERS), it] : shown.slice(0, MAX_PEERS);
  }
}

/** Names that a container's hosts file has beside those of its network. */
export function namesBeside(file: {
  readonly hostname: string;
  readonly domainname: string;
  readonly aliases: readonly string[];
  readonly extraHosts: readonly { readonly name: string }[];
}): Set<string> {
  const { hostname, domainname, aliases, extraHosts } = file;
  const full = domainname === '' ? [] : [`${hostname}.${domainname}`];
  return new Set([hostname, ...full, ...aliases, ...extraHosts.map(({ name }) => name)]);
}

/** Names that every hosts file has for something else. */
const LOCAL = [
  'localhost',
  'ip6-localhost',
  'ip6-loopback',
  'ip6-localnet',
  'ip6-mcastprefix',
  'ip6-allnodes',
  'ip6-allrouters',
];

/**
 * `address<TAB>name name` for each: in its app by its short name, everywhere by the name of the engine, and by its host name
 * unless a container is called so.
 * @param taken names that the file has for something else already: they stay what they are
 * @internal
 */
export function peerLines(peers: readonly Peer[], app: string, taken: ReadonlySet<string>): string[] {
  const used = new Set([...LOCAL, ...taken]);
  const free = (name: string): boolean => {
    const isFree = !used.has(name);
    used.add(name);
    return isFree;
  };
  const names = peers.map((peer) => (peer.app === app && free(peer.name) ? [peer.name] : []));
  peers.forEach(({ engineName }, index) => {
    if (free(engineName)) names[index]?.push(engineName);
  });
  peers.forEach(({ hostnames }, index) => {
    append(names[index] ?? [], hostnames.filter(free));
  });
  return peers.flatMap(({ address }, index) => {
    const own = names[index] ?? [];
    return own.length === 0 ? [] : [`${address}\t${own.join(' ')}`];
  });
}
