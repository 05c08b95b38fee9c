import type { ResourceKey } from '../../../model/resource.ts';
import type { Version } from '../../../model/update.ts';
import type { OpOf } from '../../op.ts';
import type { UpdateBook } from '../../update-book.ts';

/** A container whose changed spec failed, and the spec it was made from before. */
export interface FailedUpdate {
  /** What to do about the op that failed. */
  readonly hint?: string | undefined;
  readonly key: ResourceKey;
  readonly from: Version;
  readonly reason: string;
}

/**
 * Brings the app of a container whose update failed back to the last generation in which it was made from `from`, as a
 * new generation. Returns that one's number, or null where there is nothing to go back to.
 */
export type RollBack = (failed: FailedUpdate) => number | null;

export interface SettleUpdatePorts {
  readonly updates: Pick<UpdateBook, 'forget'>;
}

export interface FailUpdatePorts {
  readonly updates: Pick<UpdateBook, 'fail'>;
  readonly rollBack: RollBack;
}

/** The update is over: what runs is what is wanted. */
export function settleUpdate({ updates }: SettleUpdatePorts, { key }: OpOf<'container.settle-update'>): Promise<void> {
  updates.forget(key);
  return Promise.resolve();
}

/**
 * Remembers the failure, and brings the app back to the last generation in which this container was the one that ran
 * well. Where there is none the failed spec stays, and is not tried again.
 */
export function failUpdate({ updates, rollBack }: FailUpdatePorts, op: OpOf<'container.fail-update'>): Promise<void> {
  updates.fail(op.key, op.reason, !op.rollback, op.hint);
  if (op.rollback && rollBack(op) === null) {
    updates.fail(op.key, `${op.reason}; there is no earlier manifest to go back to`, true, op.hint);
  }
  return Promise.resolve();
}
