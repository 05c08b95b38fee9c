/**
 * A bridge of ours routes 127/8, so that the kernel can publish ports on 127.0.0.1. Rules keep containers out of it; where
 * another program removes them (`nft flush ruleset`), a filter of each container's interface still does. Answers to what the
 * host asks from 127.0.0.1 pass: on the wire they are for the gateway. On the bridge it is too late for the filter: with
 * br_netfilter, answers are for 127.0.0.1 again when they come out there.
 */
import { LoopbackFilter } from '../../../ffi/network/ingress-filter.ts';
import type { NetlinkSocket } from '../../../ffi/network/netlink.ts';
import { describeError, TsdError } from '../../../model/errors/errors.ts';
import type { Names } from './names.ts';

export class LoopbackShield {
  readonly #names: Names;
  readonly #socket: NetlinkSocket;
  #filter: LoopbackFilter | null = null;
  #problem: string | null = null;

  constructor(names: Names, socket: NetlinkSocket) {
    this.#names = names;
    this.#socket = socket;
  }

  /** Why interfaces have no such filter, for `doctor`; null where they have. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Name of the filter that interfaces have; null where they have none. */
  get name(): string | null {
    return this.#problem === null ? this.#names.mark('firewall', 'loopback') : null;
  }

  /**
   * A kernel without such filters keeps no container from its network: the rules are there.
   * @param link the host's end of a container's pair
   */
  put(link: number): void {
    try {
      this.#filter ??= new LoopbackFilter();
      this.#filter.put(this.#socket, link, this.#names.mark('firewall', 'loopback'));
      this.#problem = null;
    } catch (error) {
      if (!(error instanceof TsdError) || error.class === 'bug') throw error;
      this.#problem = describeError(error);
    }
  }

  close(): void {
    this.#filter?.close();
    this.#filter = null;
  }
}
