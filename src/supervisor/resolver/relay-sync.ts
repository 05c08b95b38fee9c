/** Brings what a resolver relays into agreement with what drivers want relayed. */
import type { BoundRelay, PortRelays } from '../../drivers/contract/relay.ts';
import type { RelayState } from '../../resolver/protocol.ts';
import { RefusedError, type ResolverLink } from './resolver-link.ts';

export interface RelaySyncParts {
  readonly link: Pick<ResolverLink, 'request' | 'giveRelay'>;
  readonly relays: PortRelays;
  readonly onProblem: (text: string) => void;
}

const stateOf = (key: string, { protocol, target }: BoundRelay): RelayState => ({ key, protocol, target });

export class RelaySync {
  readonly #parts: RelaySyncParts;
  /** Where those that it has lead. */
  readonly #targets: Map<string, string>;
  #version = -1;

  /** @param held what it has */
  constructor(parts: RelaySyncParts, held: readonly RelayState[]) {
    this.#parts = parts;
    this.#targets = new Map(held.map(({ key, target }) => [key, JSON.stringify(target)]));
  }

  changes(): void {
    const { relays } = this.#parts;
    if (relays.version === this.#version) return;
    this.#version = relays.version;
    const { wanted } = relays;
    for (const key of [...this.#targets.keys()]) if (!wanted.has(key)) this.#remove(key);
    for (const [key, relay] of wanted) {
      const fd = relays.take(key);
      if (fd !== null) this.#give(stateOf(key, relay), fd);
      else if (this.#targets.has(key)) this.#move(stateOf(key, relay));
    }
  }

  #give(relay: RelayState, fd: number): void {
    this.#targets.set(relay.key, JSON.stringify(relay.target));
    this.#parts.link.giveRelay(relay, fd).catch((error: Error) => this.#refused(relay, error));
  }

  #move(relay: RelayState): void {
    const target = JSON.stringify(relay.target);
    if (this.#targets.get(relay.key) === target) return;
    this.#targets.set(relay.key, target);
    this.#parts.link
      .request({ kind: 'set-relay', relay, parcel: null })
      .catch((error: Error) => this.#refused(relay, error));
  }

  #remove(key: string): void {
    const { link, relays } = this.#parts;
    this.#targets.delete(key);
    link.request({ kind: 'remove-relay', key }).then(
      () => relays.released(key),
      (error: Error) => this.#refused({ key }, error),
    );
  }

  /** The end of the conversation is dealt with where it is kept. */
  #refused({ key }: Pick<RelayState, 'key'>, error: Error): void {
    if (!(error instanceof RefusedError)) return;
    this.#targets.delete(key);
    this.#parts.relays.failed(key);
    this.#parts.onProblem(`${key} is not relayed: ${error.message}`);
  }
}
