/** IPv4 addresses in the namespaces of containers, asked for from outside: going there takes the kernel ten times as long. */
import { namespaceId } from '../../../ffi/namespace-ids.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../ffi/netlink.ts';
import { RouteChanges, RTMGRP } from '../../../ffi/route-changes.ts';
import { listAddresses } from '../../../ffi/rtnetlink.ts';

/**
 * Asking a thousand namespaces takes 40 ms. Those in which the kernel told of no change are therefore asked in turn, so
 * many at each look: what was not told is found all the same.
 */
const ASKED_IN_TURN = 8;

interface Open {
  readonly socket: NetlinkSocket;
  readonly changes: RouteChanges;
}

export class SandboxAddresses {
  /** In the host's namespace. */
  #open: Open | null = null;
  /** By container id; what was asked longest ago comes first. */
  readonly #known = new Map<string, readonly string[]>();
  readonly #numbers = new Map<string, number>();
  readonly #containers = new Map<number, string>();

  /** Addresses with prefix length, for use at once: each as the kernel has it when it is asked for or had it all along. */
  look(): (containerId: string, netnsFd: number) => readonly string[] {
    // Listened to before anything is read: no change falls between.
    this.#open ??= {
      socket: new NetlinkSocket(NETLINK_ROUTE, true),
      changes: new RouteChanges(RTMGRP.IPV4_IFADDR, true),
    };
    const { socket, changes } = this.#open;
    this.#catchUp(changes);
    return (containerId, netnsFd) => this.#known.get(containerId) ?? this.#ask(socket, containerId, netnsFd);
  }

  /** Of the namespace that has a number, among those that were asked. */
  containerOf(namespaceNumber: number): string | undefined {
    return this.#containers.get(namespaceNumber);
  }

  forget(containerId: string): void {
    this.#known.delete(containerId);
    const number = this.#numbers.get(containerId);
    this.#numbers.delete(containerId);
    if (number !== undefined && this.#containers.get(number) === containerId) this.#containers.delete(number);
  }

  close(): void {
    this.#open?.socket.close();
    this.#open?.changes.close();
    this.#open = null;
    for (const map of [this.#known, this.#numbers, this.#containers]) map.clear();
  }

  #catchUp(changes: RouteChanges): void {
    const changed = changes.take();
    if (changed === null) this.#known.clear();
    else for (const number of changed.elsewhere) this.#known.delete(this.#containers.get(number) ?? '');
    let turn = 0;
    for (const containerId of this.#known.keys()) {
      if (++turn > ASKED_IN_TURN) break;
      this.#known.delete(containerId);
    }
  }

  #ask(socket: NetlinkSocket, containerId: string, netnsFd: number): readonly string[] {
    const number = this.#numbers.get(containerId) ?? namespaceId(socket, netnsFd);
    this.#numbers.set(containerId, number);
    this.#containers.set(number, containerId);
    const addresses = listAddresses(socket, number).map(({ address }) => address);
    this.#known.set(containerId, addresses);
    return addresses;
  }
}
