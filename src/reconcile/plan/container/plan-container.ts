/** Plans one container with its successor and predecessor: turns intents into ops, or into holds. */
import type { Desired } from '../../../model/desired.ts';
import type { ObservedContainer } from '../../../model/observed.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { HOLD_TRAITS } from '../../../model/status/holds.ts';
import { nextKey, type ObservedUpdate, oldKey, successorOf } from '../../../model/update.ts';
import type { Cause, Hold } from '../../op.ts';
import type { Surroundings } from '../intent.ts';
import { changeIntent, creationIntent, soonest } from '../intent.ts';
import { because } from '../order/cause.ts';
import { hostPorts } from '../order/ordering.ts';
import type { Pass } from '../order/pass.ts';
import { failureHold, hold } from '../order/pass.ts';
import { isContainer, specOf } from '../references.ts';
import { isSettled } from '../settled.ts';
import { isStopped } from '../stopped.ts';
import { planUpdate, supervised, type UpdateInput, type UpdatePlan } from '../update.ts';
import { addSteps, isReplaced } from './container-ops.ts';
import { planRemoval, whyUntouchable } from './container-removal.ts';
import { permitted } from './permitted.ts';
import { isHeldBack, restartedSince, surroundings } from './surroundings.ts';

type Container = Desired<'container'>;

export function planContainer(pass: Pass, desired: Container, recreated: ReadonlyMap<ResourceKey, Cause>): void {
  const { key } = desired;
  const container = pass.observed.containers.get(key);
  const untouchable = container && whyUntouchable(container);
  if (untouchable) hold(pass, key, 'unavailable', untouchable);
  if (pass.busy.has(key) || untouchable) return;
  if (!container || !isSettled(pass, desired, container, recreated)) act(pass, desired, container, recreated);
}

/** Plans a container with its successor and predecessor. */
function act(
  pass: Pass,
  desired: Container,
  container: ObservedContainer | undefined,
  recreated: ReadonlyMap<ResourceKey, Cause>,
): void {
  const { key, app } = desired;
  const { containers, updates, failures } = pass.observed;
  const [next, old] = [containers.get(nextKey(key)), containers.get(oldKey(key))];
  const unknown = [next, old].flatMap((beside) => (beside && whyUntouchable(beside)) ?? [])[0];
  const around = surroundings(pass, desired, container, recreated);
  const input: UpdateInput = {
    desired,
    container,
    next,
    old,
    update: updates?.get(key),
    heldBack: isHeldBack(pass, app),
    busy: pass.busy.has(nextKey(key)) || pass.busy.has(oldKey(key)) || unknown !== undefined,
    around,
    aroundAsMade: (made) => ({
      ...surroundings(pass, made, container, recreated),
      stopped: container !== undefined && isStopped(container, null),
    }),
    failureOf: (of) => {
      const failure = failures.get(of);
      return failure?.specHash === desired.specHash ? failure : undefined;
    },
  };
  const update = planUpdate(input);
  const failed = update.ops.length > 0 ? opsHold(pass, desired, update, updates?.get(key)) : null;
  if (!failed) for (const op of update.ops) pass.graph.add(op);
  const { as, intent } =
    update.ops.length > 0
      ? { as: update.as, intent: { ...update.intent, steps: [], hold: failed ?? update.intent.hold } }
      : permittedOrAsMade(pass, input, update);
  if (intent.hold) pass.holds.set(key, Object.freeze(intent.hold));
  if (unknown !== undefined)
    hold(pass, key, 'unavailable', `what is beside it: ${unknown}`, intent.hold?.untilBootMs ?? null);
  if (isReplaced(pass, as)) pass.predecessors.set(key, as);
  const ownTerms = update.next === 'want' || as !== update.as ? null : update.terms;
  addSteps(pass, as, container, intent, ownTerms);
  if (update.next === 'want') planSuccessor(pass, desired, next, around, update);
  if (update.next === 'drop' && next)
    planRemoval(pass, next.key ?? key, next, because('removed', 'its update is over'), desired);
  if (update.old === 'drop' && old)
    planRemoval(pass, old.key ?? key, old, because('removed', 'its successor took over'));
}

/** Returns the part of the intent that may run now. A container whose change must wait is kept running as it was made. */
function permittedOrAsMade(
  pass: Pass,
  input: UpdateInput,
  { as, intent }: UpdatePlan,
): Pick<UpdatePlan, 'as' | 'intent'> {
  const { container } = input;
  const creates = intent.steps.some(({ name }) => name === 'create');
  const forgiven = creates && isOfOldImage(pass, input);
  const allowed = permitted(pass, as, intent, container !== undefined, forgiven);
  if (forgiven && allowed.steps.length > 0) pass.forgiven.add(as.key);
  // A failed change is retried. Keeping the old container meanwhile would alternate between two failures.
  const waits = allowed.hold !== null && HOLD_TRAITS[allowed.hold.reason].untried && allowed.steps.length === 0;
  const changes = as.specHash !== container?.specHash || creates;
  const asked = container?.running === true && container.restartRequested;
  if (!container || !waits || allowed.hold === null || !(changes || asked) || takesFromOthers(pass, input)) {
    return { as, intent: allowed };
  }
  let kept = supervised(input, allowed.hold);
  let keeps = permitted(pass, kept.as, kept.intent, true);
  if (asked && keeps.steps.length === 0) {
    // Until the restart is possible, the current run is kept up like any other.
    kept = supervised({ ...input, container: { ...container, restartRequested: false } }, allowed.hold);
    keeps = permitted(pass, kept.as, kept.intent, true);
  }
  if (keeps.hold && HOLD_TRAITS[keeps.hold.reason].failure === 'retried') return { as: kept.as, intent: keeps };
  const untilBootMs = soonest([allowed.hold.untilBootMs, keeps.hold?.untilBootMs ?? null]);
  return { as: kept.as, intent: { ...keeps, hold: { ...allowed.hold, untilBootMs } } };
}

/**
 * Reports whether the recorded failure is a start with another image than the declared one. It says nothing about the new
 * container and does not delay it. Other failures keep their back-off.
 */
function isOfOldImage(pass: Pass, { desired, container, around }: UpdateInput): boolean {
  const { startError = null, imageId = null } = container ?? {};
  if (startError === null || imageId === null || around.imageId === null || imageId === around.imageId) return false;
  const failure = pass.observed.failures.get(desired.key);
  return failure?.op === 'container.start' && failure.class === startError.class;
}

/** Reports whether a start of the old container would take a host port that another container now declares. */
function takesFromOthers(pass: Pass, { container, desired }: UpdateInput): boolean {
  if (!container || container.running) return false;
  const mine = new Set(hostPorts(specOf(container)));
  if (mine.size === 0) return false;
  return [...pass.desired.resources.values()].some((other) => {
    return other.key !== desired.key && isContainer(other) && hostPorts(other.spec).some((port) => mine.has(port));
  });
}

/** Returns the hold of an earlier failure of the update's own ops; the failure that the update handles does not count. */
function opsHold(pass: Pass, desired: Container, { ops }: UpdatePlan, record: ObservedUpdate | undefined): Hold | null {
  const failed = failureHold(pass, desired.key, desired);
  const fails = ops.some(({ op }) => op === 'container.fail-update');
  const isItsReason = fails && record?.failure === null && failed?.untilBootMs === null;
  return isItsReason ? null : failed;
}

/** Plans the successor. Its holds are reported on the container that it replaces. */
function planSuccessor(
  pass: Pass,
  desired: Container,
  next: ObservedContainer | undefined,
  around: Surroundings,
  { terms, cause }: UpdatePlan,
): void {
  const successor = successorOf(desired);
  const aroundIt = { ...around, shared: () => false, restartedDependencies: () => restartedSince(pass, desired, next) };
  const wanted = next ? changeIntent(successor, next, aroundIt) : creationIntent(successor, cause ?? undefined);
  const intent = permitted(pass, successor, wanted, true);
  if (intent.hold) {
    // The container may have an earlier recheck of its own.
    const untilBootMs = soonest([intent.hold.untilBootMs, pass.holds.get(desired.key)?.untilBootMs ?? null]);
    pass.holds.set(desired.key, Object.freeze({ ...intent.hold, key: desired.key, untilBootMs }));
  }
  addSteps(pass, successor, next, intent, terms);
  pass.successors.push(successor);
}
