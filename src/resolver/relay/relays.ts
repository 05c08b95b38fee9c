/** All sockets of the host that are passed on to containers. */
import type { RelayState, RelayTarget } from '../protocol.ts';
import { descriptorBudget, OpenFlows } from './open-flows.ts';
import { type RunningRelay, relayTcp, TCP_WAITS, type TcpWaits } from './relay-tcp.ts';
import { relayUdp } from './relay-udp.ts';

interface Relay {
  readonly state: RelayState;
  readonly fd: number;
  readonly route: { target: RelayTarget };
  readonly running: RunningRelay;
}

export interface RelayCounts {
  readonly relays: number;
  readonly relayed: number;
  readonly relaying: number;
  readonly relaysFailed: number;
}

export class Relays {
  readonly #relays = new Map<string, Relay>();
  readonly #flows: OpenFlows;
  readonly #waits: TcpWaits;
  readonly #log: (line: string) => void;
  #failed = 0;

  constructor(log: (line: string) => void, { budget = descriptorBudget(), waits = TCP_WAITS } = {}) {
    this.#log = log;
    this.#flows = new OpenFlows(budget);
    this.#waits = waits;
  }

  get counts(): RelayCounts {
    const { count, opened } = this.#flows;
    return { relays: this.#relays.size, relayed: opened, relaying: count, relaysFailed: this.#failed };
  }

  states(): readonly RelayState[] {
    return [...this.#relays.values()].map(({ state }) => state);
  }

  /** Takes the descriptor over, in the place of the one that a relay of the key had. */
  start(state: RelayState, fd: number, family: 4 | 6): void {
    this.remove(state.key);
    const route = { target: state.target };
    const options = {
      flows: this.#flows,
      waits: this.#waits,
      target: () => route.target,
      onFailed: () => {
        this.#failed++;
      },
      onEnd: (error: Error) => {
        this.#log(`relay of ${state.key}: ${error.message}`);
        if (this.#relays.get(state.key)?.fd === fd) this.remove(state.key);
      },
    };
    const running = state.protocol === 'tcp' ? relayTcp(fd, options) : relayUdp(fd, family, options);
    this.#relays.set(state.key, { state, fd, route, running });
  }

  /** False where there is none of the key. */
  move(state: RelayState): boolean {
    const relay = this.#relays.get(state.key);
    if (relay === undefined) return false;
    relay.route.target = state.target;
    this.#relays.set(state.key, { ...relay, state });
    relay.running.moved();
    return true;
  }

  remove(key: string): void {
    this.#relays.get(key)?.running.close();
    this.#relays.delete(key);
  }

  /** Its descriptor, which stays open here until {@link leave}; null where there is none. */
  descriptor(key: string): number | null {
    return this.#relays.get(key)?.fd ?? null;
  }

  /** Another program has its socket. */
  leave(key: string): void {
    this.#relays.get(key)?.running.leave();
    this.#relays.delete(key);
  }

  /** Accepts nothing more; what is open goes on. */
  end(): void {
    for (const key of [...this.#relays.keys()]) this.leave(key);
  }
}
