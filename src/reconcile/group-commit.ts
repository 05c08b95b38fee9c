import type { DurableBatch, StateFiles } from '../state/durable.ts';

/** Durable changes of one caller; each part joins that of the others in one transaction. */
export interface Changes {
  readonly files?: (batch: DurableBatch) => void;
  /** Statements on linkgraph.db. */
  readonly names?: () => void;
  /** Statements on history.db. */
  readonly history?: () => void;
}

export interface GroupCommitStores {
  readonly files: StateFiles;
  readonly links: { batch<T>(changes: () => T): T };
  readonly history: { durable<T>(changes: () => T): T };
}

interface Group {
  readonly batch: DurableBatch;
  readonly members: { readonly changes: Changes; failure: unknown }[];
  readonly done: Promise<void>;
}

/**
 * Durable changes of operations that run at the same time, committed together: what is staged while one commit is on its
 * way to the disk goes with the next. Each caller waits for its own only, and fails for its own only.
 */
export class GroupCommit {
  readonly #stores: GroupCommitStores;
  #open: Group | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(stores: GroupCommitStores) {
    this.#stores = stores;
  }

  /** Resolves when the changes are durable. @throws what staging threw, or TsdError of the commit. */
  async commit(changes: Changes): Promise<void> {
    const group = this.#open ?? this.#begin();
    changes.files?.(group.batch);
    const member = { changes, failure: undefined as unknown };
    group.members.push(member);
    await group.done;
    if (member.failure !== undefined) throw member.failure;
  }

  #begin(): Group {
    const batch = this.#stores.files.batch();
    const members: Group['members'] = [];
    const done = this.#running
      .then(() => new Promise<void>((next) => setImmediate(next)))
      .then(() => {
        this.#open = null;
        this.#runStatements(members);
        return batch.commit();
      });
    this.#running = done.catch(() => {});
    this.#open = { batch, members, done };
    return this.#open;
  }

  #runStatements(members: Group['members']): void {
    const each = (part: 'names' | 'history'): void => {
      for (const member of members) {
        try {
          member.changes[part]?.();
        } catch (error) {
          member.failure ??= error;
        }
      }
    };
    if (members.some(({ changes }) => changes.history)) this.#stores.history.durable(() => each('history'));
    if (members.some(({ changes }) => changes.names)) this.#stores.links.batch(() => each('names'));
  }
}
