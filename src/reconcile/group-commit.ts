import type { DurableBatch, StateFiles } from '../state/files/durable.ts';

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

interface Member {
  readonly changes: Changes;
  readonly batch: DurableBatch;
  failure?: unknown;
}

interface Group {
  readonly members: Member[];
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

  /**
   * Resolves when the changes are durable. A caller whose files cannot be staged or whose statements are refused takes
   * nothing with it; when the disk fails in the middle, what was done before stays: history, then names, then files. The
   * failed part rejects only the callers that submitted it.
   * @throws what staging or a statement threw, or TsdError of the commit.
   */
  async commit(changes: Changes): Promise<void> {
    const member: Member = { changes, batch: this.#stores.files.batch() };
    try {
      changes.files?.(member.batch);
    } catch (error) {
      member.batch.abandon();
      throw error;
    }
    const group = this.#open ?? this.#begin();
    group.members.push(member);
    await group.done;
    if (member.failure !== undefined) throw member.failure;
  }

  #begin(): Group {
    const members: Member[] = [];
    const done = this.#running
      .then(() => new Promise<void>((next) => setImmediate(next)))
      .then(() => {
        this.#open = null;
        return this.#commit(members);
      });
    this.#running = done.catch(() => {});
    this.#open = { members, done };
    return this.#open;
  }

  async #commit(members: readonly Member[]): Promise<void> {
    const { history, links, files } = this.#stores;
    this.#runStatements(members, 'history', history.durable.bind(history));
    this.#runStatements(members, 'names', links.batch.bind(links));
    for (const { batch, failure } of members) if (failure !== undefined) batch.abandon();
    const left = members.filter(({ failure }) => failure === undefined);
    const outcomes = await files.commitTogether(left.map(({ batch }) => batch));
    left.forEach((member, index) => {
      member.failure = outcomes[index];
    });
  }

  /** In one transaction, in which each member's statements are refused or kept as a whole. */
  #runStatements(
    members: readonly Member[],
    part: 'names' | 'history',
    transaction: (statements: () => void) => void,
  ): void {
    const concerned = members.filter(({ changes, failure }) => changes[part] && failure === undefined);
    if (concerned.length === 0) return;
    const attempt = (who: readonly Member[], statements: () => void): void => {
      try {
        transaction(statements);
      } catch (error) {
        for (const member of who) member.failure = error;
      }
    };
    attempt(concerned, () => {
      for (const member of concerned) attempt([member], () => member.changes[part]?.());
    });
  }
}
