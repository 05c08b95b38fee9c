/**
 * Routes in the namespaces of containers. The kernel answers for the namespace of a socket only, so that asking means to go
 * there: 8 system calls, 0.1 ms. It is read where the kernel reported a lost route, where one is missing, and in turn.
 */

import { NETLINK_ROUTE, NetlinkSocket } from '../../ffi/network/netlink.ts';
import { RouteChanges, RTMGRP } from '../../ffi/network/route-changes.ts';
import { listRoutes } from '../../ffi/network/routes.ts';
import { inNetns } from '../../ffi/process/namespaces.ts';
import type { Sandbox } from '../contract/network.ts';

/** Asked at one look because something changed, the latest first; of more the others are asked at the next looks. */
const ASKED_WHEN_CHANGED = 32;
/** Asked at one look, in turn, of those where a route was missing. */
const ASKED_WHEN_MISSING = 4;
/** Asked at one look of those of which nothing is known for sure. */
const ASKED_WHEN_UNKNOWN = 4;
/** Asked at one look of the others: most keep their routes for life, and the kernel tells where one went. */
const ASKED_IN_TURN = 1;

function* first(count: number, ids: Iterable<string>): Generator<string> {
  let left = count;
  if (left > 0) {
    for (const id of ids) {
      yield id;
      if (--left === 0) return;
    }
  }
}

export class SandboxRoutes {
  readonly #containerOf: (namespaceNumber: number) => string | undefined;
  /** In the host's namespace. */
  #changes: RouteChanges | null = null;
  /** Destinations by container id; what was asked longest ago comes first. */
  readonly #known = new Map<string, ReadonlySet<string>>();
  /** What a container is to have. */
  readonly #wanted = new Map<string, readonly string[]>();
  /** The latest comes last. */
  readonly #changed = new Set<string>();
  /** Sandboxes with a missing route, least recently read first: the kernel is not asked to report added routes. */
  readonly #missing = new Set<string>();
  /** Never read, or the kernel has dropped reports since. */
  readonly #unknown = new Set<string>();

  /** @param containerOf whose namespace has a number */
  constructor(containerOf: (namespaceNumber: number) => string | undefined) {
    this.#containerOf = containerOf;
  }

  /**
   * Asks some of the namespaces: those in which something changed, a few of those with a route missing and of those that are
   * unknown, and one of the others in turn. Returns the containers of which {@link of} has another answer now.
   */
  look(held: ReadonlyMap<string, Sandbox>): string[] {
    // Routes go with an interface that is set down, and the kernel tells of that only.
    this.#changes ??= new RouteChanges(RTMGRP.IPV4_ROUTE | RTMGRP.LINK, true, 'losses');
    this.#catchUp(this.#changes);
    const asked = new Set([...this.#changed].slice(-ASKED_WHEN_CHANGED));
    for (const containerId of first(ASKED_WHEN_MISSING, this.#missing)) asked.add(containerId);
    for (const containerId of first(ASKED_WHEN_UNKNOWN, this.#unknown)) asked.add(containerId);
    for (const containerId of first(ASKED_IN_TURN, this.#known.keys())) asked.add(containerId);
    return [...asked].filter((containerId) => {
      const sandbox = held.get(containerId);
      if (sandbox) return this.#ask(sandbox);
      this.forget(containerId);
      return false;
    });
  }

  /** Destinations of the main table as of when they were last asked for; null where they are not known yet. */
  of(containerId: string): ReadonlySet<string> | null {
    return this.#known.get(containerId) ?? null;
  }

  /** Its namespace is held from now on. */
  hold(containerId: string): void {
    this.#unknown.add(containerId);
  }

  /** @param destinations what it is to have */
  want(containerId: string, destinations: readonly string[]): void {
    this.#wanted.set(containerId, destinations);
    this.#noteMissing(containerId);
  }

  /** @param destinations all there are: nothing was there before */
  made(containerId: string, destinations: readonly string[]): void {
    this.#know(containerId, new Set(destinations));
  }

  /** What was seen before says nothing any more. */
  changed(containerId: string): void {
    this.#changed.delete(containerId);
    this.#changed.add(containerId);
  }

  forget(containerId: string): void {
    for (const kept of this.#kept) kept.delete(containerId);
  }

  close(): void {
    this.#changes?.close();
    this.#changes = null;
    for (const kept of this.#kept) kept.clear();
  }

  get #kept() {
    return [this.#known, this.#wanted, this.#changed, this.#missing, this.#unknown];
  }

  #catchUp(changes: RouteChanges): void {
    const changed = changes.take();
    if (changed === null) for (const containerId of this.#known.keys()) this.#unknown.add(containerId);
    for (const number of changed?.elsewhere ?? []) {
      const containerId = this.#containerOf(number);
      if (containerId !== undefined) this.changed(containerId);
    }
  }

  /** Whether the answer is another than before. */
  #ask({ containerId, netnsFd }: Sandbox): boolean {
    const routes = inNetns(netnsFd, () => {
      const socket = new NetlinkSocket(NETLINK_ROUTE);
      try {
        return listRoutes(socket, 'ipv4');
      } finally {
        socket.close();
      }
    });
    const destinations = new Set(routes.map(({ destination }) => destination));
    const before = this.#known.get(containerId);
    this.#know(containerId, destinations);
    return before === undefined || !areSame(before, destinations);
  }

  #know(containerId: string, destinations: ReadonlySet<string>): void {
    for (const kept of [this.#known, this.#changed, this.#missing, this.#unknown]) kept.delete(containerId);
    this.#known.set(containerId, destinations);
    this.#noteMissing(containerId);
  }

  #noteMissing(containerId: string): void {
    const known = this.#known.get(containerId);
    const wanted = this.#wanted.get(containerId);
    if (known && wanted?.some((destination) => !known.has(destination))) this.#missing.add(containerId);
    else this.#missing.delete(containerId);
  }
}

function areSame(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((destination) => b.has(destination));
}
