/**
 * Routes, rules by source and interfaces in the namespaces of containers. The kernel answers for the namespace of a socket
 * only, so that asking means to go there: 13 system calls, 0.2 ms. They are read where the kernel reported a lost route or
 * rule, where something is missing, and in turn.
 */

import { listNamedLinks, type NamedLink } from '../../ffi/network/links.ts';
import { RouteChanges, RTMGRP } from '../../ffi/network/route-changes.ts';
import { listRoutes, type NewRoute } from '../../ffi/network/routes.ts';
import { listSourceRules, type SourceRule } from '../../ffi/network/source-rules.ts';
import { listDisciplines, type Shape } from '../../ffi/network/traffic-control.ts';
import { inNetns } from '../../ffi/process/namespaces.ts';
import type { Sandbox } from '../contract/network.ts';
import { withRouteSocket } from './route-socket.ts';

/** Asked at one look because something changed, the latest first; of more the others are asked at the next looks. */
const ASKED_WHEN_CHANGED = 32;
/** Asked at one look, in turn, of those where a route was missing. */
const ASKED_WHEN_MISSING = 4;
/** Asked at one look of those of which nothing is known for sure. */
const ASKED_WHEN_UNKNOWN = 4;
/** Asked at one look of the others: most keep their routes for life, and the kernel tells where one went. */
const ASKED_IN_TURN = 1;

/** A route, a rule by source, an interface or its limit, as a text: equal texts, the same in every respect that counts. */
export type Fact = string;

export const routeFact = ({ destination, gateway, link, table }: NewRoute): Fact =>
  `route ${destination} ${gateway ?? 'on'} ${link}${table === undefined ? '' : ` in ${table}`}`;

export const ruleFact = ({ source, table }: SourceRule): Fact => `rule ${source} ${table}`;

const SHAPE = 'shape ';

/** What an interface lets out. */
export const shapeFact = (link: number, { rate, queue }: Pick<Shape, 'rate' | 'queue'>): Fact =>
  `${SHAPE}${rate} ${queue} ${link}`;

export const linkFact = ({ index, name, mac }: NamedLink): Fact => `link ${index} ${name} ${mac}`;

function* first(count: number, ids: Iterable<string>): Generator<string> {
  let left = count;
  if (left > 0) {
    for (const id of ids) {
      yield id;
      if (--left === 0) return;
    }
  }
}

const REPORTED = RTMGRP.IPV4_ROUTE | RTMGRP.IPV6_ROUTE | RTMGRP.IPV4_RULE | RTMGRP.IPV6_RULE | RTMGRP.LINK | RTMGRP.TC;

export class SandboxRoutes {
  readonly #containerOf: (namespaceNumber: number) => string | undefined;
  /** In the host's namespace. */
  #changes: RouteChanges | null = null;
  /** By container id; what was asked longest ago comes first. */
  readonly #known = new Map<string, ReadonlySet<Fact>>();
  /** What a container is to have, by whom. */
  readonly #wanted = new Map<string, Map<string, readonly Fact[]>>();
  /** The latest comes last. */
  readonly #changed = new Set<string>();
  /** Sandboxes with a missing fact, least recently read first: the kernel is not asked to report added routes. */
  readonly #missing = new Set<string>();
  /** Never read, or the kernel has dropped reports since. */
  readonly #unknown = new Set<string>();

  /** @param containerOf whose namespace has a number */
  constructor(containerOf: (namespaceNumber: number) => string | undefined) {
    this.#containerOf = containerOf;
  }

  /**
   * Asks some of the namespaces: those in which something changed, a few of those with something missing and of those that are
   * unknown, and one of the others in turn. Returns the containers of which {@link of} has another answer now.
   */
  look(held: ReadonlyMap<string, Sandbox>): string[] {
    // Routes go with an interface that is set down, and the kernel tells of that only.
    this.#changes ??= new RouteChanges(REPORTED, true, 'losses');
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

  /** As of when they were last asked for; null where they are not known yet. */
  of(containerId: string): ReadonlySet<Fact> | null {
    return this.#known.get(containerId) ?? null;
  }

  /** Its namespace is held from now on. */
  hold(containerId: string): void {
    this.#unknown.add(containerId);
  }

  /** @param facts what it is to have for the sake of `owner` */
  want(containerId: string, owner: string, facts: readonly Fact[]): void {
    const wanted = this.#wanted.get(containerId) ?? new Map<string, readonly Fact[]>();
    if (facts.length > 0) wanted.set(owner, facts);
    else wanted.delete(owner);
    if (wanted.size > 0) this.#wanted.set(containerId, wanted);
    else this.#wanted.delete(containerId);
    this.#noteMissing(containerId);
  }

  /** @param facts all that came with an interface that was not there before */
  made(containerId: string, facts: readonly Fact[]): void {
    this.#know(containerId, new Set([...(this.#known.get(containerId) ?? []), ...facts]));
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
    const seen = inNetns(netnsFd, () =>
      withRouteSocket((socket) => [
        ...listRoutes(socket, null, 'any').map(routeFact),
        ...listSourceRules(socket).map(ruleFact),
        ...(this.#wantsShape(containerId) ? listDisciplines(socket) : []).flatMap((found) =>
          found.kind === 'shaper' ? [shapeFact(found.link, found)] : [],
        ),
        ...listNamedLinks(socket).flatMap((link) => (link.name === 'lo' ? [] : [linkFact(link)])),
      ]),
    );
    const facts = new Set(seen);
    const before = this.#known.get(containerId);
    this.#know(containerId, facts);
    return before === undefined || !areSame(before, facts);
  }

  #wantsShape(containerId: string): boolean {
    const wanted = [...(this.#wanted.get(containerId)?.values() ?? [])];
    return wanted.some((facts) => facts.some((fact) => fact.startsWith(SHAPE)));
  }

  #know(containerId: string, facts: ReadonlySet<Fact>): void {
    for (const kept of [this.#known, this.#changed, this.#missing, this.#unknown]) kept.delete(containerId);
    this.#known.set(containerId, facts);
    this.#noteMissing(containerId);
  }

  #noteMissing(containerId: string): void {
    const known = this.#known.get(containerId);
    const wanted = this.#wanted.get(containerId);
    const isMissing = known && [...(wanted?.values() ?? [])].some((facts) => facts.some((fact) => !known.has(fact)));
    if (isMissing) this.#missing.add(containerId);
    else this.#missing.delete(containerId);
  }
}

function areSame(before: ReadonlySet<Fact>, now: ReadonlySet<Fact>): boolean {
  return before.size === now.size && [...now].every((fact) => before.has(fact));
}
