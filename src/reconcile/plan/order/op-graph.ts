import { TsdError } from '../../../model/errors/errors.ts';
import { append } from '../../../model/lists.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { Op, OpType } from '../../op.ts';
import { opId } from '../../op-traits.ts';

type WithoutLinks<T> = T extends Op ? Omit<T, 'id' | 'dependsOn'> : never;
/** An op before it has an id and dependencies. */
export type OpDraft = WithoutLinks<Op>;

function draftId(draft: OpDraft): string {
  if (draft.op === 'orphan.remove') return `remove orphan ${draft.orphan.type} ${draft.orphan.id}`;
  return opId(draft.op, draft.key);
}

interface Node {
  readonly draft: OpDraft;
  readonly dependsOn: Set<string>;
}

/** Ops under construction. Ops of one key form a chain in the order they were added. */
export class OpGraph {
  readonly #nodes = new Map<string, Node>();
  readonly #chains = new Map<ResourceKey, string[]>();

  /** Adds an op behind the earlier ops of its key and returns its id. */
  add(draft: OpDraft): string {
    const id = draftId(draft);
    if (this.#nodes.has(id)) throw new TsdError('TSD_BUG', `planned twice: ${id}`, { key: draft.key });
    const chain = this.#chains.get(draft.key) ?? [];
    const previous = chain.at(-1);
    this.#nodes.set(id, { draft, dependsOn: new Set(previous === undefined ? [] : [previous]) });
    chain.push(id);
    this.#chains.set(draft.key, chain);
    return id;
  }

  /** Adds an op to a chain, before op `next` of it, and returns its id. */
  addBefore(draft: OpDraft, next: string): string {
    const id = draftId(draft);
    const chain = this.#chains.get(draft.key) ?? [];
    const at = chain.indexOf(next);
    if (at < 0 || this.#nodes.has(id)) throw new TsdError('TSD_BUG', `cannot be planned: ${id}`, { key: draft.key });
    const previous = chain[at - 1];
    this.#nodes.set(id, { draft, dependsOn: new Set(previous === undefined ? [] : [previous]) });
    chain.splice(at, 0, id);
    this.order(id, next);
    return id;
  }

  /** Returns the ids of the ops of a key, in order. */
  chain(key: ResourceKey): readonly string[] {
    return this.#chains.get(key) ?? [];
  }

  /** Returns the types of the ops of a key, in order. */
  typesOf(key: ResourceKey): OpType[] {
    return this.chain(key).flatMap((id) => this.#nodes.get(id)?.draft.op ?? []);
  }

  /** Returns the keys with at least one op. */
  keys(): ResourceKey[] {
    return [...this.#chains.keys()];
  }

  has(id: string): boolean {
    return this.#nodes.has(id);
  }

  drafts(): OpDraft[] {
    return [...this.#nodes.values()].map((node) => node.draft);
  }

  /** Makes op `id` wait for `earlier`. */
  order(earlier: string, id: string): void {
    if (earlier !== id) this.#nodes.get(id)?.dependsOn.add(earlier);
  }

  /** Like {@link order}, but does nothing when the order would close a cycle (two containers swap a port). */
  preferOrder(earlier: string, id: string): void {
    if (!this.waitsFor(earlier, id)) this.order(earlier, id);
  }

  /** Reports whether op `id` waits for `earlier`, directly or not. An op waits for itself. */
  waitsFor(id: string, earlier: string): boolean {
    const seen = new Set<string>();
    const open = [id];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next === earlier) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      append(open, this.#nodes.get(next)?.dependsOn ?? []);
    }
    return false;
  }

  get isEmpty(): boolean {
    return this.#nodes.size === 0;
  }

  /** Returns all ops, frozen, in topological order; otherwise in the order they were added. @throws TSD_BUG for a cycle */
  sorted(): readonly Op[] {
    const done = new Set<string>();
    const open = new Set<string>();
    const result: Op[] = [];
    for (const root of this.#nodes.keys()) {
      const stack = [root];
      for (let id = stack.at(-1); id !== undefined; id = stack.at(-1)) {
        const node = this.#nodes.get(id);
        const next = node && !done.has(id) ? [...node.dependsOn].find((earlier) => !done.has(earlier)) : undefined;
        if (next !== undefined) {
          if (open.has(next)) throw new TsdError('TSD_BUG', `ops wait for each other in a circle: ${id}, ${next}`);
          open.add(id);
          stack.push(next);
          continue;
        }
        stack.pop();
        open.delete(id);
        if (node && !done.has(id)) result.push(freezeOp(id, node));
        done.add(id);
      }
    }
    return Object.freeze(result);
  }
}

function freezeOp(id: string, { draft, dependsOn }: Node): Op {
  return Object.freeze({
    ...draft,
    id,
    cause: Object.freeze(draft.cause),
    dependsOn: Object.freeze([...dependsOn]),
  }) as Op;
}
