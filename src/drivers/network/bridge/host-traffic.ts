/**
 * Limits and filters of the host's ends of pairs. They are asked for where the kernel reported that one went, where one is
 * missing, and in turn.
 */
import type { NetlinkSocket } from '../../../ffi/network/netlink.ts';
import { RouteChanges, RTMGRP } from '../../../ffi/network/route-changes.ts';
import {
  type FoundDiscipline,
  ingressFilters,
  listDisciplines,
  type Shape,
} from '../../../ffi/network/traffic-control.ts';
import { isShape } from './endpoints/shapes.ts';

/** Asked at one look of those that have all as far as is known. */
const ASKED_IN_TURN = 1;
/** Looks between two at all limits, which are one dump. */
const LOOKS_BETWEEN_LIMITS = 30;

/** What a link is to have. */
export interface WantedTraffic {
  /** Null for no limit. */
  readonly shape: Shape | null;
  /** Name of the filter; null for none. */
  readonly filter: string | null;
}

const WHOLE: readonly string[] = [];

export class HostTraffic {
  readonly #socket: NetlinkSocket;
  /** By link; what was asked longest ago comes first. */
  readonly #wanted = new Map<number, WantedTraffic>();
  readonly #lacking = new Map<number, readonly string[]>();
  #changes: RouteChanges | null = null;
  #looks = 0;
  #version = 0;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Another number when {@link lacking} may have another answer. */
  get version(): number {
    return this.#version;
  }

  want(link: number, wanted: WantedTraffic): void {
    this.#wanted.set(link, wanted);
    this.#note(link, WHOLE);
  }

  forget(link: number): void {
    this.#wanted.delete(link);
    this.#note(link, WHOLE);
  }

  /** What a link lacked at the last look, in short phrases. */
  lacking(link: number): readonly string[] {
    return this.#lacking.get(link) ?? WHOLE;
  }

  look(): void {
    if (this.#wanted.size === 0 && this.#changes === null) return;
    // Listened to before anything is read: no change falls between. What was missing before is seen in turn.
    this.#changes ??= new RouteChanges(RTMGRP.TC, false, 'losses');
    const isLost = this.#changes.take()?.here !== false;
    const isTurn = ++this.#looks % LOOKS_BETWEEN_LIMITS === 0;
    const asked = isLost
      ? [...this.#wanted.keys()]
      : [...new Set([...this.#lacking.keys(), ...[...this.#wanted.keys()].slice(0, ASKED_IN_TURN)])];
    const isLimited = [...this.#wanted.values()].some(({ shape }) => shape !== null);
    const looksAtLimits = isLimited && (isLost || isTurn || this.#lacking.size > 0);
    const found = looksAtLimits ? listDisciplines(this.#socket) : null;
    const limits = found && new Map(found.flatMap((one) => (one.kind === 'shaper' ? [[one.link, one] as const] : [])));
    for (const link of limits && isTurn ? [...this.#wanted.keys()] : asked)
      this.#ask(link, limits, asked.includes(link));
  }

  close(): void {
    this.#changes?.close();
    this.#changes = null;
    this.#wanted.clear();
    this.#lacking.clear();
  }

  /** @param limits null where they were not looked at now */
  #ask(link: number, limits: ReadonlyMap<number, FoundDiscipline> | null, looksAtFilter: boolean): void {
    const wanted = this.#wanted.get(link);
    if (wanted === undefined) return;
    this.#wanted.delete(link);
    this.#wanted.set(link, wanted);
    const before = this.lacking(link);
    const { shape, filter } = wanted;
    const found = limits?.get(link);
    const lacksLimit =
      limits === null ? before.includes(LIMIT) : shape !== null && (found === undefined || !isShape(found, shape));
    const lacksFilter = looksAtFilter
      ? filter !== null && !ingressFilters(this.#socket, link).includes(filter)
      : before.includes(FILTER);
    this.#note(link, [...(lacksLimit ? [LIMIT] : []), ...(lacksFilter ? [FILTER] : [])]);
  }

  #note(link: number, lacking: readonly string[]): void {
    if (lacking.join() === this.lacking(link).join()) return;
    this.#version++;
    if (lacking.length > 0) this.#lacking.set(link, lacking);
    else this.#lacking.delete(link);
  }
}

const LIMIT = 'limit of what it receives missing';
const FILTER = 'filter of 127.0.0.0/8 missing';
