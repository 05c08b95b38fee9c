import { readTextOrEmpty } from '../../ffi/files/text-files.ts';

/** Descriptors that forwarded connections and clients may take, however many this process may open. */
const MOST_DESCRIPTORS = 8192;

/** Half of the descriptors this process may open, so that answering names never runs out of them. */
export function descriptorBudget(limits = readTextOrEmpty('/proc/self/limits')): number {
  const allowed = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.POSITIVE_INFINITY);
  return Math.min(MOST_DESCRIPTORS, Math.floor(allowed / 2));
}

/** What the flows of one listener have in common; the one longest silent is the first. */
export type FlowGroup = Set<Flow>;

/** A connection, or a UDP client. */
export interface Flow {
  /** Sockets of this process that it takes. */
  readonly descriptors: number;
  end(): void;
}

/**
 * Everything that is forwarded, of all listeners, within one budget of descriptors. Where it is used up, the listener
 * with the most flows gives up its longest idle one: flooding one port does not affect other ports, and idle connections
 * make room for active ones.
 */
export class OpenFlows {
  readonly #budget: number;
  readonly #groups = new Set<FlowGroup>();
  #used = 0;
  #count = 0;
  #opened = 0;

  constructor(budget: number) {
    this.#budget = budget;
  }

  /** How many are open. */
  get count(): number {
    return this.#count;
  }

  /** How many ever were. */
  get opened(): number {
    return this.#opened;
  }

  group(): FlowGroup {
    const group: FlowGroup = new Set();
    this.#groups.add(group);
    return group;
  }

  open(group: FlowGroup, flow: Flow): void {
    while (this.#used + flow.descriptors > this.#budget) {
      const silent = this.#longestSilent();
      if (silent === null) break;
      this.close(silent.group, silent.flow);
    }
    group.add(flow);
    this.#used += flow.descriptors;
    this.#count++;
    this.#opened++;
  }

  /** Says that something passed. */
  touch(group: FlowGroup, flow: Flow): void {
    if (group.delete(flow)) group.add(flow);
  }

  /** Ends a flow, or takes note that it ended. */
  close(group: FlowGroup, flow: Flow): void {
    if (!group.delete(flow)) return;
    this.#used -= flow.descriptors;
    this.#count--;
    flow.end();
  }

  closeGroup(group: FlowGroup): void {
    for (const flow of [...group]) this.close(group, flow);
    this.#groups.delete(group);
  }

  #longestSilent(): { readonly group: FlowGroup; readonly flow: Flow } | null {
    let largest: FlowGroup | null = null;
    for (const group of this.#groups) if (group.size > (largest?.size ?? 0)) largest = group;
    const flow = largest?.values().next().value;
    return largest === null || flow === undefined ? null : { group: largest, flow };
  }
}
