/**
 * Updates of running containers, from the change until the new container is ready. Stop-first replaces the container and
 * watches it. Start-first creates a successor beside it, moves name and ports once that is ready, and drains the
 * predecessor. A failed update goes back to the previous version.
 */
import type { Desired } from '../../model/desired.ts';
import type { ObservedContainer, OpFailure } from '../../model/observed.ts';
import { nextKey, type ObservedUpdate, sameVersion, type UpdateTerms, type Version } from '../../model/update.ts';
import type { Cause, Hold } from '../op.ts';
import type { Intent, Surroundings } from './intent.ts';
import { changeIntent, creationIntent, soonest } from './intent.ts';
import { because } from './order/cause.ts';
import type { OpDraft } from './order/op-graph.ts';
import { observedReferences, specOf } from './references.ts';
import { isAt, judge, type Verdict } from './verdict.ts';

type Container = Desired<'container'>;

export interface UpdateInput {
  readonly desired: Container;
  readonly container: ObservedContainer | undefined;
  readonly next: ObservedContainer | undefined;
  readonly old: ObservedContainer | undefined;
  readonly update: ObservedUpdate | undefined;
  /** True when a failed update holds its app back at an earlier generation; such a change is not judged. */
  readonly heldBack: boolean;
  /** True while the successor or predecessor has ops in flight. */
  readonly busy: boolean;
  readonly around: Surroundings;
  /** Returns the surroundings of the container as it was made: its needs may differ from the declared ones. */
  readonly aroundAsMade: (made: Container) => Surroundings;
  readonly failureOf: (key: Container['key']) => OpFailure | undefined;
}

export interface UpdatePlan {
  /** Steps of the container itself, under the declaration `as`: what it was made from, while its successor gets ready. */
  readonly intent: Intent;
  readonly as: Container;
  /** Ops of the update, in place of the intent's steps. */
  readonly ops: readonly OpDraft[];
  /** Recorded with the first op of the update. */
  readonly terms: UpdateTerms | null;
  /** Why a successor is created. */
  readonly cause: Cause | null;
  /** `want`: create it and keep it as declared; `keep`: leave it as it is; `drop`: remove it. */
  readonly next: 'want' | 'keep' | 'drop';
  readonly old: 'keep' | 'drop';
}

const NOTHING: Intent = {
  steps: [],
  counters: { restarts: 0, consecutive: 0 },
  fields: [],
  signals: [],
  dependencies: [],
  hold: null,
};

function usually({ desired: as }: UpdateInput, intent: Intent, terms: UpdateTerms | null = null): UpdatePlan {
  return { intent, as, ops: [], terms, cause: null, next: 'drop', old: 'drop' };
}

function waiting({ desired }: UpdateInput, message: string, untilBootMs: number | null): Intent {
  const hold: Hold = { key: desired.key, reason: 'updating', message, untilBootMs };
  return { ...NOTHING, hold };
}

function versionOf({ specHash, imageId }: Version): Version {
  return { specHash, imageId };
}

/** Returns the cause of a change that replaces a running container, or null. */
function replacement({ steps }: Intent): Cause | null {
  const stop = steps.find(({ name }) => name === 'stop');
  const starts = steps.some(({ name }) => name === 'start');
  const { reason } = stop?.cause ?? {};
  return stop && starts && (reason === 'spec-changed' || reason === 'source-changed') ? stop.cause : null;
}

function settle({ desired }: UpdateInput, message: string): OpDraft {
  return { op: 'container.settle-update', key: desired.key, cause: because('requested', message) };
}

function fail(
  input: UpdateInput,
  update: ObservedUpdate,
  { message: reason, hint }: { readonly message: string; readonly hint?: string | undefined },
): OpDraft {
  const { desired, container, next } = input;
  const candidate = update.order === 'start-first' && update.cutOverAtBootMs === null ? next : container;
  const rollback = desired.spec.update.onFailure === 'rollback' && !update.final;
  const cause = because('exited', `update failed: ${reason}`);
  const { from } = update;
  return {
    op: 'container.fail-update',
    key: desired.key,
    cause: { ...cause, source: desired.source },
    candidateId: candidate?.id ?? null,
    reason,
    ...(hint !== undefined && { hint }),
    rollback,
    from,
  };
}

function cutOver(
  { desired, container, old }: UpdateInput,
  successor: ObservedContainer,
  failure: string | null,
): OpDraft {
  const message = failure === null ? 'its successor is ready' : `its successor failed: ${failure}`;
  return {
    op: 'container.cutover',
    key: desired.key,
    cause: because(failure === null ? 'spec-changed' : 'exited', message),
    containerId: container?.id ?? old?.id ?? '',
    successorId: successor.id,
    failure,
  };
}

/** Returns the declaration a container was made from, when another one is in force. */
function asMade({ desired, container }: UpdateInput): Container {
  if (!container || container.specHash === desired.specHash) return desired;
  const { specHash, contentHashes } = container;
  const references = { ...observedReferences(container), image: desired.references.image };
  return { ...desired, spec: specOf(container), specHash, contentHashes, references };
}

/**
 * Returns the steps that keep a container running as it was made: a start, a restart, a repair of its network, a relink.
 * Changes of the declaration are not applied.
 */
export function supervised(input: UpdateInput, hold: Hold | null): Pick<UpdatePlan, 'intent' | 'as'> {
  const { container } = input;
  const as = asMade(input);
  const waits = { ...NOTHING, hold };
  if (!container) return { as, intent: waits };
  // A changed image or network does not count: the container is about to go.
  const kept = changeIntent(as, container, { ...input.aroundAsMade(as), imageId: null, moved: null });
  if (container.running) return { as, intent: { ...kept, hold } };
  if (kept.steps.length > 0 || !kept.hold) return { as, intent: { ...kept, hold: kept.hold ?? hold } };
  const untilBootMs = soonest([kept.hold.untilBootMs, hold?.untilBootMs ?? null]);
  return { as, intent: { ...kept, hold: { ...kept.hold, untilBootMs } } };
}

/** Plans a start-first update before the cut-over. */
function preparing(input: UpdateInput, update: ObservedUpdate): UpdatePlan {
  const { desired, container, next, old, busy } = input;
  const base = { ...usually(input, NOTHING, termsOf(update)), old: 'keep' } as const;
  const name = `${desired.engineName}.next`;
  const supervise = (message: string, until: number | null) => supervised(input, waiting(input, message, until).hold);
  if (busy) return { ...base, ...supervise(`${name} is being made ready`, null), next: 'keep' };
  // An interrupted cut-over: name and ports have moved, and only the record is missing.
  if (container && old && !next && isAt(container, update)) {
    return { ...base, ops: [cutOver({ ...input, container: old }, container, null)], next: 'keep' };
  }
  if (!container && !old) return { ...base, ops: [settle(input, 'there is nothing left to replace')], next: 'drop' };
  const verdict = judgeOf(input, update, next, nextKey(desired.key));
  if (verdict.is === 'failed') return { ...base, ops: [fail(input, update, verdict)], next: 'keep' };
  if (verdict.is === 'ready' && next) {
    return { ...base, ops: [cutOver(input, next, null)], next: 'keep' };
  }
  const until = verdict.is === 'waiting' ? verdict.untilBootMs : null;
  return { ...base, ...supervise(`${name} takes over when it is ready`, until), next: 'want' };
}

/** Returns the op that completes an interrupted rollback of a cut-over, or null. */
function restOfWayBack(input: UpdateInput, update: ObservedUpdate): OpDraft | null {
  const { desired, container, next, old } = input;
  const predecessor = container ?? old;
  if (!next || !predecessor || isAt(container, update)) return null;
  const verdict = judgeOf(input, update, next, nextKey(desired.key));
  const failure = verdict.is === 'failed' ? verdict.message : 'it ended while its predecessor drained';
  return cutOver({ ...input, container: next }, predecessor, failure);
}

/** Plans a start-first update after the cut-over, while the predecessor serves its open connections. */
function draining(input: UpdateInput, update: ObservedUpdate, usual: Intent): UpdatePlan {
  const { desired, container, old, busy, around } = input;
  const base = { ...usually(input, usual), old: 'keep' } as const;
  if (busy) return { ...base, next: 'keep' };
  const rest = restOfWayBack(input, update);
  if (rest) return { ...base, ops: [rest], next: 'keep' };
  const verdict = judgeOf(input, update, container, desired.key);
  if (verdict.is === 'failed') {
    const back = old?.running === true;
    return { ...base, ops: [back ? cutOver(input, old, verdict.message) : fail(input, update, verdict)] };
  }
  const drained = (update.cutOverAtBootMs ?? 0) + desired.spec.update.drainMs;
  if (old?.running !== true || around.now.bootMs >= drained) {
    return { ...base, ops: [settle(input, 'update done')], next: 'drop' };
  }
  if (usual.steps.length > 0 || usual.hold) return base;
  return { ...base, intent: waiting(input, 'connections of its predecessor end', drained) };
}

/** Plans a stop-first update, which judges the container itself. */
function trying(input: UpdateInput, update: ObservedUpdate, usual: Intent): UpdatePlan {
  const { desired, container } = input;
  const verdict = judgeOf(input, update, container, desired.key);
  if (verdict.is === 'failed') return { ...usually(input, usual), ops: [fail(input, update, verdict)] };
  if (!isAt(container, update)) return usually(input, usual, termsOf(update));
  if (verdict.is === 'ready')
    return { ...usually(input, usual), ops: [settle(input, `update done: ${verdict.message}`)] };
  if (usual.steps.length > 0 || usual.hold) return usually(input, usual);
  const until = verdict.untilBootMs;
  return usually(input, waiting(input, 'it was changed and has to prove itself', until));
}

/** Plans a failed update: it is not tried again until the spec changes. */
function afterFailure(input: UpdateInput, update: ObservedUpdate, usual: Intent): UpdatePlan {
  const { desired, container } = input;
  const reason = update.failure ?? '';
  if (desired.spec.update.onFailure === 'rollback' && !update.final) {
    return {
      ...usually(input, usual),
      ops: [fail(input, update, { message: reason, hint: update.hint })],
      next: 'keep',
      old: 'keep',
    };
  }
  if (!container || isAt(container, update)) return usually(input, usual);
  const message = `update failed: ${reason}; waits for another spec`;
  const { hint } = update;
  const hold: Hold = {
    key: desired.key,
    reason: 'failed',
    message,
    ...(hint !== undefined && { hint }),
    untilBootMs: null,
  };
  return { ...usually(input, NOTHING), ...supervised(input, hold) };
}

function judgeOf(
  { desired, around, failureOf }: UpdateInput,
  update: ObservedUpdate,
  candidate: ObservedContainer | undefined,
  key: Container['key'],
): Verdict {
  return judge({ candidate, update, spec: desired.spec, failure: failureOf(key), now: around.now });
}

function termsOf({ key, from, to, order }: ObservedUpdate): UpdateTerms {
  return { key, from, to, order };
}

/** Plans a container without a current update. The record of an abandoned one is removed when nothing else is to do. */
function without(input: UpdateInput, usual: Intent, forgets = true): UpdatePlan {
  const over = forgets && input.update !== undefined && usual.steps.length === 0 && !input.busy;
  const back = input.busy ? ({ next: 'keep', old: 'keep' } as const) : {};
  return over
    ? { ...usually(input, usual), ops: [settle(input, 'update given up')] }
    : { ...usually(input, usual), ...back };
}

/** Returns the plan of one declared container, its updates included. */
export function planUpdate(input: UpdateInput): UpdatePlan {
  const { desired, container, update, heldBack, around, old } = input;
  const usual = container ? changeIntent(desired, container, around) : creationIntent(desired);
  const target: Version = { specHash: desired.specHash, imageId: around.imageId };
  const current = update && sameVersion(update.to, target) ? update : undefined;
  // A failure recorded before the stop still counts after the next start.
  if (around.stopped) return without(input, usual, current?.failure == null);
  if (current) {
    if (current.failure !== null) return afterFailure(input, current, usual);
    if (current.order === 'stop-first') return trying(input, current, usual);
    return current.cutOverAtBootMs === null ? preparing(input, current) : draining(input, current, usual);
  }
  if (container && input.busy && !isAt(container, { to: target })) {
    // The ops in flight may begin an update, which is recorded only when they have ended.
    const { hold } = waiting(input, 'what was made beside it is being changed', null);
    return { ...usually(input, NOTHING), ...supervised(input, hold), next: 'keep', old: 'keep' };
  }
  // Without a container there is nothing to replace: an interrupted cut-over may have left only the predecessor.
  const cause = replacement(usual);
  if (!container || cause === null || heldBack) return without(input, usual);
  if (old) {
    // There is one predecessor name: the next update begins when the last predecessor is gone.
    const hold = waiting(input, 'its predecessor is removed before the next update', null);
    return { ...usually(input, hold), next: 'keep', old: input.busy ? 'keep' : 'drop' };
  }
  const proved = update === undefined || (update.cutOverAtBootMs !== null && update.failure === null);
  const from = proved ? versionOf(container) : update.from;
  const order = around.moved ? 'stop-first' : desired.spec.update.order;
  const terms: UpdateTerms = { key: desired.key, from, to: target, order };
  if (order === 'stop-first') return usually(input, usual, terms);
  const { hold } = waiting(input, `${desired.engineName}.next takes over when it is ready`, null);
  return {
    ...usually(input, NOTHING, terms),
    ...supervised(input, hold),
    cause,
    next: input.busy ? 'keep' : 'want',
    old: 'keep',
  };
}
