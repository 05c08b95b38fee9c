/** Brings what a resolver knows into agreement with the zones, by what changed where it is known what it has. */
import { createHash } from 'node:crypto';
import type { ResourceKey } from '../../model/resource.ts';
import type { ZoneBook } from '../../reconcile/names/zone-book.ts';
import type { Request, Server } from '../../resolver/protocol.ts';
import type { RelaySync } from './relay-sync.ts';
import { closeSockets, RefusedError, type ResolverLink } from './resolver-link.ts';
import type { SandboxSockets } from './sandbox-sockets.ts';

export interface SyncParts {
  readonly link: ResolverLink;
  readonly book: ZoneBook;
  readonly sockets: SandboxSockets;
  readonly relays: RelaySync;
  /** What it has of a container whose record cannot be read stays as it is. */
  readonly isReadable: (id: string) => boolean;
  readonly onProblem: (text: string) => void;
}

/** What it was told is taken for what it knows: requests are carried out in order, and the conversation ends where one is lost. */
export class ResolverSync {
  readonly #parts: SyncParts;
  readonly #networks: Map<ResourceKey, string>;
  readonly #sandboxes: Map<string, string | null>;
  #servers: string | null;
  /** Whether networks that it has may be of containers whose networks are not known just now. */
  #areSomeKept = false;

  constructor(parts: SyncParts) {
    this.#parts = parts;
    const { networks, sandboxes, hostServers } = parts.link.hello;
    this.#networks = new Map(networks.map(({ key, digest }) => [key as ResourceKey, digest]));
    this.#sandboxes = new Map(sandboxes.map(({ id, digest }) => [id, digest]));
    this.#servers = hostServers;
  }

  /** Compares all, for a conversation that begins. */
  all(): void {
    const { zones, askers } = this.#parts.book;
    for (const key of new Set([...zones.networks, ...this.#networks.keys()])) this.#network(key);
    for (const id of new Set([...askers.keys(), ...this.#sandboxes.keys()])) this.#sandbox(id);
    this.#give();
    this.#parts.relays.changes();
  }

  changes(): void {
    const { zones, areSomeUnknown } = this.#parts.book;
    if (this.#areSomeKept && !areSomeUnknown) {
      this.#areSomeKept = false;
      this.all();
      return;
    }
    for (const key of [...zones.changed]) this.#network(key);
    for (const id of this.#parts.book.changedAskers()) this.#sandbox(id);
    this.#give();
    this.#parts.relays.changes();
  }

  /** Tries again what could not be opened or given. */
  retry(): void {
    const { sockets, book } = this.#parts;
    for (const id of sockets.due((each) => book.askers.has(each))) this.#sandbox(id);
    this.changes();
  }

  hostServers(servers: readonly Server[]): void {
    const digest = createHash('sha256').update(JSON.stringify(servers)).digest('hex').slice(0, 16);
    if (digest === this.#servers) return;
    this.#servers = digest;
    this.#tell({ kind: 'set-host-servers', digest, servers });
  }

  #network(key: ResourceKey): void {
    const { zones, areSomeUnknown } = this.#parts.book;
    const change = zones.change(key);
    const [known, digest] = [this.#networks.get(key), zones.digest(key)];
    if (known === digest) return;
    if (digest === null && areSomeUnknown) {
      this.#areSomeKept = true;
      return;
    }
    if (digest === null) {
      if (this.#networks.delete(key)) this.#tell({ kind: 'remove-network', key });
      return;
    }
    this.#networks.set(key, digest);
    if (change === null || change.from !== known) this.#whole(key);
    else this.#tell({ kind: 'change-network', change }, () => this.#whole(key));
  }

  #whole(key: ResourceKey): void {
    const network = this.#parts.book.zones.state(key);
    if (network === null) return;
    this.#networks.set(key, network.digest);
    this.#tell({ kind: 'set-network', network });
  }

  #sandbox(id: string): void {
    const { book, sockets, isReadable } = this.#parts;
    const sandbox = book.askers.get(id);
    if (book.isUnknown(id) && this.#sandboxes.has(id)) {
      this.#areSomeKept = true;
      return;
    }
    if (sandbox === undefined) {
      if (!isReadable(id)) return;
      sockets.forget(id);
      if (this.#sandboxes.delete(id)) this.#tell({ kind: 'remove-sandbox', id });
      return;
    }
    if (sockets.open(id)) sockets.dial(id, sandbox.forwarding);
    if (this.#sandboxes.get(id) === sandbox.digest) return;
    this.#sandboxes.set(id, sandbox.digest);
    this.#tell({ kind: 'set-sandbox', sandbox });
  }

  /** After its state: a question that waits is answered from it. */
  #give(): void {
    const { link, sockets, book } = this.#parts;
    for (const [id, opened] of sockets.takeReady()) {
      if (!book.askers.has(id)) {
        // Its run was not recorded after all.
        closeSockets(opened);
        sockets.forget(id);
        continue;
      }
      link.give(id, opened).then(
        () => sockets.given(id, opened),
        (error: Error) => {
          // The end of the conversation is dealt with where it is kept.
          if (link.isOver) return;
          const problem = `its sockets were not handed over: ${error.message}`;
          if (sockets.failed(id, opened, problem)) this.#parts.onProblem(`${id.slice(0, 12)}: ${problem}`);
        },
      );
    }
  }

  /** @param onStale what to do where it has another state than it was told. */
  #tell(request: Request, onStale?: () => void): void {
    this.#parts.link.request(request).catch((error: Error) => {
      // The end of the conversation is dealt with where it is kept.
      if (!(error instanceof RefusedError)) return;
      if (error.refusal === 'stale' && onStale) onStale();
      else this.#parts.onProblem(`${request.kind}: ${error.message}`);
    });
  }
}
