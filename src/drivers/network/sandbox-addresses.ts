/** Addresses in the namespaces of containers, asked for from outside: going there takes the kernel ten times as long. */

import { type LinkAddress, listAddresses } from '../../ffi/network/link-addresses.ts';
import { namespaceId } from '../../ffi/network/namespace-ids.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../ffi/network/netlink.ts';
import { RouteChanges, RTMGRP } from '../../ffi/network/route-changes.ts';
import type { Sandbox } from '../contract/network.ts';

/**
 * Asking a thousand namespaces takes 40 ms. Those without a reported change are therefore read in turn, a few
 * per observation: an unreported change is found as well.
 */
const ASKED_IN_TURN = 4;

interface Open {
  readonly socket: NetlinkSocket;
  readonly changes: RouteChanges;
}

export class SandboxAddresses {
  /** In the host's namespace. */
  #open: Open | null = null;
  /** By container id; what was asked longest ago comes first. */
  readonly #known = new Map<string, readonly LinkAddress[]>();
  readonly #numbers = new Map<string, number>();
  readonly #containers = new Map<number, string>();
  /** Containers with a reported change that were not read since. */
  readonly #changed = new Set<string>();

  /**
   * Asks the namespaces that were never asked, those in which something changed, and some of the others. Returns the
   * containers of which {@link of} has another answer now.
   */
  look(held: ReadonlyMap<string, Sandbox>): string[] {
    // Listened to before anything is read: no change falls between.
    this.#open ??= {
      socket: new NetlinkSocket(NETLINK_ROUTE, true),
      changes: new RouteChanges(RTMGRP.IPV4_IFADDR | RTMGRP.IPV6_IFADDR, true),
    };
    const { socket, changes } = this.#open;
    return [...this.#toAsk(changes, held)].filter((containerId) => {
      const sandbox = held.get(containerId);
      return sandbox !== undefined && this.#ask(socket, sandbox);
    });
  }

  /** As of the last look; null of one that was not held then. */
  of(containerId: string): readonly LinkAddress[] | null {
    return this.#known.get(containerId) ?? null;
  }

  /** Of the namespace that has a number, among those that were asked. */
  containerOf(namespaceNumber: number): string | undefined {
    return this.#containers.get(namespaceNumber);
  }

  forget(containerId: string): void {
    this.#known.delete(containerId);
    this.#changed.delete(containerId);
    const number = this.#numbers.get(containerId);
    this.#numbers.delete(containerId);
    if (number !== undefined && this.#containers.get(number) === containerId) this.#containers.delete(number);
  }

  close(): void {
    this.#open?.socket.close();
    this.#open?.changes.close();
    this.#open = null;
    for (const kept of [this.#known, this.#numbers, this.#containers, this.#changed]) kept.clear();
  }

  #toAsk(changes: RouteChanges, held: ReadonlyMap<string, Sandbox>): Iterable<string> {
    const changed = changes.take();
    const reported =
      changed === null ? held.keys() : [...changed.elsewhere].flatMap((at) => this.#containers.get(at) ?? []);
    for (const containerId of reported) this.#changed.add(containerId);
    const asked = new Set(this.#changed);
    let turn = 0;
    for (const containerId of this.#known.keys()) {
      if (++turn > ASKED_IN_TURN) break;
      asked.add(containerId);
    }
    // All that are known are held.
    if (this.#known.size < held.size) {
      for (const containerId of held.keys()) if (!this.#known.has(containerId)) asked.add(containerId);
    }
    return asked;
  }

  /** Whether the answer is another than before. */
  #ask(socket: NetlinkSocket, { containerId, netnsFd }: Sandbox): boolean {
    const number = this.#numbers.get(containerId) ?? namespaceId(socket, netnsFd);
    this.#numbers.set(containerId, number);
    this.#containers.set(number, containerId);
    const addresses = listAddresses(socket, null, number);
    const before = this.#known.get(containerId);
    this.#changed.delete(containerId);
    this.#known.delete(containerId);
    this.#known.set(containerId, addresses);
    return before === undefined || !areSame(before, addresses);
  }
}

function areSame(a: readonly LinkAddress[], b: readonly LinkAddress[]): boolean {
  return (
    a.length === b.length && a.every(({ link, address }, at) => b[at]?.address === address && b[at]?.link === link)
  );
}
