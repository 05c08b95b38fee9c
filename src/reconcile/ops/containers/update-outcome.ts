import type { OpOf } from '../../op.ts';
import type { World } from '../world.ts';

/** The update is over: what runs is what is wanted. */
export function settleUpdate(world: World, { key }: OpOf<'container.settle-update'>): Promise<void> {
  world.updates.forget(key);
  return Promise.resolve();
}

/**
 * Remembers the failure, and brings the app back to the last generation in which this container was the one that ran
 * well. Where there is none the failed spec stays, and is not tried again.
 */
export function failUpdate(world: World, op: OpOf<'container.fail-update'>): Promise<void> {
  world.updates.fail(op.key, op.reason, !op.rollback, op.hint);
  if (op.rollback && world.rollBack(op) === null) {
    world.updates.fail(op.key, `${op.reason}; there is no earlier manifest to go back to`, true, op.hint);
  }
  return Promise.resolve();
}
