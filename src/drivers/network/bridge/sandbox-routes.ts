/**
 * Routes in the namespaces of containers. The kernel answers for the namespace of a socket only, so that asking means to go
 * there: 8 system calls, 0.1 ms. It is asked where the kernel told of a change, and in turn.
 */
import { inNetns } from '../../../ffi/namespaces.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../ffi/netlink.ts';
import { RouteChanges, RTMGRP } from '../../../ffi/route-changes.ts';
import { listRoutes } from '../../../ffi/rtnetlink.ts';

/** Asked at one look without being told, of those that were never asked and of the others; most keep their routes for life. */
const ASKED_IN_TURN = 4;
/** Asked at one look because the kernel told so; more are asked at the next ones. */
const ASKED_WHEN_TOLD = 32;

export class SandboxRoutes {
  readonly #containerOf: (namespaceNumber: number) => string | undefined;
  /** In the host's namespace. */
  #changes: RouteChanges | null = null;
  /** Destinations by container id; what was asked longest ago comes first. */
  readonly #known = new Map<string, ReadonlySet<string>>();
  readonly #told = new Set<string>();

  /** @param containerOf whose namespace has a number */
  constructor(containerOf: (namespaceNumber: number) => string | undefined) {
    this.#containerOf = containerOf;
  }

  /** Destinations of the main table, null where they are not known yet; for use at once. */
  look(): (containerId: string, netnsFd: number) => ReadonlySet<string> | null {
    this.#changes ??= new RouteChanges(RTMGRP.IPV4_ROUTE, true);
    this.#catchUp(this.#changes);
    const inTurn = new Set(this.#nextInTurn());
    let unknown = ASKED_IN_TURN;
    let told = ASKED_WHEN_TOLD;
    return (containerId, netnsFd) => {
      const known = this.#known.get(containerId) ?? null;
      if (this.#told.has(containerId)) return told-- > 0 ? this.#ask(containerId, netnsFd) : known;
      const asks = known === null ? unknown-- > 0 : inTurn.has(containerId);
      return asks ? this.#ask(containerId, netnsFd) : known;
    };
  }

  /** They go to the end, be they asked or not: those whose interface is gone are not. */
  #nextInTurn(): string[] {
    const next = [...this.#known].slice(0, ASKED_IN_TURN);
    for (const [containerId, routes] of next) {
      this.#known.delete(containerId);
      this.#known.set(containerId, routes);
    }
    return next.map(([containerId]) => containerId);
  }

  /** What was seen before says nothing any more. */
  changed(containerId: string): void {
    this.#told.add(containerId);
  }

  forget(containerId: string): void {
    this.#known.delete(containerId);
    this.#told.delete(containerId);
  }

  close(): void {
    this.#changes?.close();
    this.#changes = null;
    this.#known.clear();
    this.#told.clear();
  }

  #catchUp(changes: RouteChanges): void {
    const changed = changes.take();
    if (changed === null) for (const containerId of this.#known.keys()) this.#told.add(containerId);
    for (const number of changed?.elsewhere ?? []) {
      const containerId = this.#containerOf(number);
      if (containerId !== undefined) this.#told.add(containerId);
    }
  }

  #ask(containerId: string, netnsFd: number): ReadonlySet<string> {
    const routes = inNetns(netnsFd, () => {
      const socket = new NetlinkSocket(NETLINK_ROUTE);
      try {
        return listRoutes(socket);
      } finally {
        socket.close();
      }
    });
    this.forget(containerId);
    const destinations = new Set(routes.map(({ destination }) => destination));
    this.#known.set(containerId, destinations);
    return destinations;
  }
}
