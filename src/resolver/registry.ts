/** All that the resolver has been told and given. */
import { AnswerCache } from './forward/cache.ts';
import { Forwarder, type Upstream } from './forward/forwarder.ts';
import { TcpDialer } from './forward/tcp-dialer.ts';
import { UdpPool } from './forward/udp-pool.ts';
import type { View } from './names/view.ts';
import { Zone } from './names/zone.ts';
import type { Hello, NetworkChange, NetworkState, SandboxState, Server, Stats } from './protocol.ts';
import { type Counts, Sandbox, type Shared } from './sandbox.ts';

const CACHE_BYTES = 4 * 1024 * 1024;
/** Sockets to the servers of the host; with that many questions waiting, they are shared. */
const HOST_SOCKETS = 256;

export class Registry {
  readonly #zones = new Map<string, Zone>();
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #cache = new AnswerCache(CACHE_BYTES);
  readonly #counts: Counts = {
    questions: 0,
    answered: 0,
    cached: 0,
    forwarded: 0,
    failed: 0,
    refused: 0,
    distrusted: 0,
    waiting: 0,
  };
  readonly #host: { -readonly [Key in keyof Upstream]: Upstream[Key] };
  #hostDigest: string | null = null;
  #version = 0;
  readonly #shared: Shared;

  constructor(log: (line: string) => void, now: () => number) {
    const counts = this.#counts;
    const udp = new UdpPool(HOST_SOCKETS, () => counts.distrusted++);
    this.#host = { name: 'host', servers: [], udp, tcp: new TcpDialer('host') };
    this.#shared = {
      forwarder: new Forwarder(this.#cache, counts, now),
      counts,
      log,
      version: () => this.#version,
      viewOf: (state) => this.#viewOf(state),
      hostUpstream: () => this.#host,
    };
  }

  /** Questions that wait for servers. */
  get waiting(): number {
    return this.#counts.waiting;
  }

  setHostServers(servers: readonly Server[], digest: string): void {
    this.#host.servers = servers;
    this.#hostDigest = digest;
    this.#shared.forwarder.forget(this.#host.name);
  }

  setNetwork(state: NetworkState): void {
    this.#zones.set(state.key, new Zone(state));
    this.#version++;
  }

  /** False when the network has not the state that is to be changed. */
  changeNetwork(change: NetworkChange): boolean {
    const zone = this.#zones.get(change.key);
    if (zone?.digest !== change.from) return false;
    this.#version++;
    zone.change(change);
    return true;
  }

  removeNetwork(key: string): void {
    this.#zones.delete(key);
    this.#version++;
  }

  setSandbox(state: SandboxState): void {
    this.sandbox(state.id).state = state;
  }

  /** The sandbox; one without state and sockets where there was none. */
  sandbox(id: string): Sandbox {
    const known = this.#sandboxes.get(id) ?? new Sandbox(id, this.#shared);
    this.#sandboxes.set(id, known);
    return known;
  }

  known(id: string): Sandbox | null {
    return this.#sandboxes.get(id) ?? null;
  }

  removeSandbox(id: string): void {
    this.#sandboxes.get(id)?.close();
    this.#sandboxes.delete(id);
  }

  /** As {@link removeSandbox}, of one whose sockets another program has. */
  leaveSandbox(id: string): void {
    this.#sandboxes.get(id)?.leave();
    this.#sandboxes.delete(id);
  }

  closeAll(): void {
    for (const id of [...this.#sandboxes.keys()]) this.removeSandbox(id);
  }

  held(): Pick<Hello, 'hostServers' | 'networks' | 'sandboxes'> {
    return {
      hostServers: this.#hostDigest,
      networks: [...this.#zones.values()].map(({ key, digest }) => ({ key, digest })),
      sandboxes: [...this.#sandboxes.values()].map((sandbox) => ({
        id: sandbox.id,
        digest: sandbox.state?.digest ?? null,
        roles: sandbox.sockets().roles,
      })),
    };
  }

  stats(): Stats {
    return {
      ...this.#counts,
      sandboxes: this.#sandboxes.size,
      cacheBytes: this.#cache.bytes,
      residentBytes: process.memoryUsage.rss(),
    };
  }

  #viewOf({ networks, scope, aliases, ndots }: SandboxState): View {
    const zones = networks.flatMap((key) => this.#zones.get(key) ?? []);
    return { zones, scope, aliases, ndots };
  }
}
