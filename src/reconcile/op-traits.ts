/**
 * What the loop decides by the type of an op alone. A new op gets its row here and its handler in ops/; tsc names both
 * where they are missing. Pure.
 */
import type { ResourceKey } from '../model/resource.ts';
import { nextKey, oldKey } from '../model/update.ts';
import type { OpType } from './op.ts';

export interface OpTraits {
  /** What it does to the container that it is of: makes it run, or takes it away; null for neither. */
  readonly direction: 'up' | 'down' | null;
  /** Only a container that is to run gets it: it is skipped once a person stopped that container. */
  readonly skippedOnceStopped: boolean;
  /** A container at rest is after it what it was before: it may give its host ports back in the same plan. */
  readonly leavesAtRest: boolean;
  /** Gives room on the disk: it is carried out although a full disk does not let the journal be written. */
  readonly makesRoom: boolean;
  /**
   * It is carried out although its pass was cancelled, where an op of its key was begun; it then has 30 s. Others are
   * aborted with their pass.
   */
  readonly finishesWhenCancelled: boolean;
  /** May take hours: it is aborted when its declaration changes meanwhile. Others end soon and are not. */
  readonly abortedByEdit: boolean;
  /** Its success ends the row of failures of its key. */
  readonly clearsFailures: boolean;
  /** Its containers: the one of its key, or also the successor and the predecessor of that. */
  readonly reaches: 'own' | 'beside';
  /** Kind of its entry in the timeline, where it does not repair drift. */
  readonly timelineKind: 'op' | 'start';
  /** Its success in the words of `why`: `created`. */
  readonly done: string;
  /** Its failure in the words of `why`: `not created`. */
  readonly failed: string;
}

const PLAIN = {
  direction: null,
  skippedOnceStopped: false,
  leavesAtRest: false,
  makesRoom: false,
  finishesWhenCancelled: false,
  abortedByEdit: false,
  clearsFailures: true,
  reaches: 'own',
  timelineKind: 'op',
} as const;

/** A step towards a run. */
const UP = { ...PLAIN, direction: 'up', skippedOnceStopped: true } as const;

const TEARDOWN = { ...PLAIN, makesRoom: true, finishesWhenCancelled: true } as const;

/** Words for an op whose failure is said with `not` before the word for its success. */
const said = (done: string) => ({ done, failed: `not ${done}` });

export const OP_TRAITS: Readonly<Record<OpType, OpTraits>> = {
  'image.load': { ...PLAIN, abortedByEdit: true, ...said('loaded') },
  'image.release': { ...TEARDOWN, ...said('released') },
  'volume.create': { ...PLAIN, ...said('created') },
  'volume.adopt': { ...PLAIN, ...said('taken over') },
  'volume.release': { ...TEARDOWN, ...said('kept without a manifest') },
  'volume.remove': { ...TEARDOWN, ...said('deleted') },
  'network.ensure': { ...PLAIN, ...said('set up') },
  'network.remove': { ...TEARDOWN, ...said('removed') },
  'container.make-directories': { ...UP, ...said('bind sources made') },
  'container.create': { ...UP, ...said('created') },
  'container.connect': { ...UP, ...said('connected') },
  'container.start': { ...UP, timelineKind: 'start', ...said('started') },
  // A payload may take any time to end, and ends without the supervisor as well: its record says what it was asked.
  'container.stop': { ...TEARDOWN, direction: 'down', finishesWhenCancelled: false, ...said('stopped') },
  'container.update': { ...PLAIN, skippedOnceStopped: true, leavesAtRest: true, ...said('updated in place') },
  'container.signal': { ...PLAIN, skippedOnceStopped: true, leavesAtRest: true, ...said('sent a signal') },
  'container.relink': { ...PLAIN, leavesAtRest: true, ...said('updated with new addresses') },
  'container.cutover': {
    ...PLAIN,
    skippedOnceStopped: true,
    reaches: 'beside',
    done: 'name and ports moved',
    failed: 'name and ports not moved',
  },
  'container.settle-update': {
    ...PLAIN,
    done: 'its update is over',
    failed: 'the end of its update cannot be recorded',
  },
  'container.fail-update': {
    ...PLAIN,
    done: 'its failed update is taken back',
    failed: 'its failed update cannot be taken back',
  },
  // A release of ports does not clear an earlier failure.
  'container.withdraw': { ...TEARDOWN, clearsFailures: false, ...said('host ports released') },
  'container.disconnect': { ...TEARDOWN, direction: 'down', ...said('disconnected') },
  'container.remove': { ...TEARDOWN, direction: 'down', ...said('removed') },
  'orphan.remove': { ...TEARDOWN, ...said('cleared away') },
};

/** True for the name of an op of this version; the timeline may hold ops of other versions. */
export const isOpType = (name: string): name is OpType => Object.hasOwn(OP_TRAITS, name);

/** `start container/blog/web`: unique, because a plan holds an op type at most once for a key. */
export function opId(type: Exclude<OpType, 'orphan.remove'>, key: ResourceKey): string {
  return `${type.slice(type.indexOf('.') + 1)} ${key}`;
}

/** Keys of the containers that may be others after the op. */
export function reachedKeys({ op, key }: { readonly op: OpType; readonly key: ResourceKey }): ResourceKey[] {
  return OP_TRAITS[op].reaches === 'own' ? [key] : [key, nextKey(key), oldKey(key)];
}
