/** All that the resolver has been told and given. */
import { AnswerCache } from './forward/cache.ts';
import { Forwarder, type Upstream } from './forward/forwarder.ts';
import { TcpDialer } from './forward/tcp-dialer.ts';
import { UdpPool } from './forward/udp-pool.ts';
import type { View } from './names/view.ts';
import { Zone } from './names/zone.ts';
import type { Hello, NetworkChange, NetworkState, SandboxState, Server, Stats } from './protocol.ts';
import { Relays } from './relay/relays.ts';
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
  #isEnding = false;
  readonly relays: Relays;
  readonly #shared: Shared;

  constructor(log: (line: string) => void, now: () => number) {
    const counts = this.#counts;
    this.relays = new Relays(log);
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

  /** Questions that wait for servers, and what is relayed. */
  get busy(): { readonly waiting: number; readonly relaying: number } {
    return { waiting: this.#counts.waiting, relaying: this.relays.counts.relaying };
  }

  get hostServers(): readonly Server[] {
    return this.#host.servers;
  }

  setHostServers(servers: readonly Server[], digest: string | null): void {
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

  /** Looks at what tells nothing by itself. */
  look(): void {
    for (const sandbox of this.#sandboxes.values()) sandbox.look();
  }

  /** Whether it has sockets, or knows of containers. */
  get isUsed(): boolean {
    return this.#sandboxes.size > 0 || this.relays.states().length > 0 || this.relays.counts.relaying > 0;
  }

  /** No more comes: what waits is still answered, and what is relayed goes on. */
  end(): void {
    this.#isEnding = true;
    for (const id of [...this.#sandboxes.keys()]) this.removeSandbox(id);
    this.relays.end();
  }

  held(): Pick<Hello, 'hostServers' | 'networks' | 'sandboxes' | 'relays' | 'isEnding'> {
    return {
      hostServers: this.#hostDigest,
      networks: [...this.#zones.values()].map(({ key, digest }) => ({ key, digest })),
      sandboxes: [...this.#sandboxes.values()].map((sandbox) => ({
        id: sandbox.id,
        digest: sandbox.state?.digest ?? null,
        roles: sandbox.sockets().roles,
      })),
      relays: this.relays.states(),
      ...(this.#isEnding && { isEnding: true }),
    };
  }

  stats(): Stats {
    return {
      ...this.#counts,
      sandboxes: this.#sandboxes.size,
      ...this.relays.counts,
      cacheBytes: this.#cache.bytes,
      residentBytes: process.memoryUsage.rss(),
    };
  }

  #viewOf({ networks, scope, aliases, ndots }: SandboxState): View {
    const zones = networks.flatMap((key) => this.#zones.get(key) ?? []);
    return { zones, scope, aliases, ndots };
  }
}
