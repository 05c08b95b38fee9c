/** Plans containers: turns each intent into ops, or into a hold when something it depends on is missing. */
import type { Desired } from '../../model/desired.ts';
import { HOLD_TRAITS } from '../../model/holds.ts';
import { type ObservedContainer, runName } from '../../model/observed.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import type { SignalName } from '../../model/signals.ts';
import { baseKey, nextKey, type ObservedUpdate, oldKey, successorOf, type UpdateTerms } from '../../model/update.ts';
import type { Cause, Hold } from '../op.ts';
import { OP_TRAITS, opId } from '../op-traits.ts';
import type { Intent, Step, Surroundings } from './intent.ts';
import { changeIntent, creationIntent, removalIntent, soonest } from './intent.ts';
import { loadingNeed, type Unmet, unmet } from './needs.ts';
import { because } from './order/cause.ts';
import { mintId } from './order/mint.ts';
import type { OpDraft } from './order/op-graph.ts';
import { hostPorts } from './order/ordering.ts';
import type { Pass } from './order/pass.ts';
import { failureHold, hold } from './order/pass.ts';
import { isReady } from './readiness.ts';
import { attachedNetwork, isContainer, specOf, startDependencies } from './references.ts';
import { describeStop } from './restart.ts';
import { isSettled } from './settled.ts';
import { isStopped } from './stopped.ts';
import { planUpdate, supervised, type UpdateInput, type UpdatePlan } from './update.ts';

/** Interval between checks of an obstacle on the host, for which there is no event. */
const OBSTACLE_RECHECK_MS = 2_000;

type Container = Desired<'container'>;

export function planContainer(pass: Pass, desired: Container, recreated: ReadonlyMap<ResourceKey, Cause>): void {
  const { key } = desired;
  const container = pass.observed.containers.get(key);
  const untouchable = container && whyUntouchable(container);
  if (untouchable) hold(pass, key, 'unavailable', untouchable);
  if (pass.busy.has(key) || untouchable) return;
  if (!container || !isSettled(pass, desired, container, recreated)) act(pass, desired, container, recreated);
}

export function whyUntouchable({ available, unknown, unrecorded }: ObservedContainer): string | null {
  if (!available) return 'made by a driver that is not in use';
  return unknown ?? unrecorded ?? null;
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

function addSteps(
  pass: Pass,
  desired: Container,
  container: ObservedContainer | undefined,
  intent: Intent,
  terms: UpdateTerms | null,
): void {
  const drafts = [
    ...directoriesDraft(pass, desired, intent),
    ...intent.steps.map((step) => draftOf(pass, desired, container, intent, step)),
  ];
  drafts.forEach((draft, index) => {
    pass.graph.add(terms && index === 0 ? { ...draft, update: terms } : draft);
  });
}

/** Drafts the op that creates missing bind directories. It runs before any stop, so that its failure changes nothing. */
function directoriesDraft(pass: Pass, desired: Container, { steps }: Intent): OpDraft[] {
  const missing = pass.observed.missingDirectories?.get(baseKey(desired.key)) ?? [];
  if (missing.length === 0 || isReplaced(pass, desired) || !steps.some(({ name }) => name === 'start')) return [];
  const cause = because('missing', `missing, and to be made as its mount says: ${missing.join(', ')}`);
  return [{ op: 'container.make-directories', key: desired.key, cause }];
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

function movedBy(
  pass: Pass,
  { references, spec }: Container,
  recreated: ReadonlyMap<ResourceKey, Cause>,
): Cause | null {
  const network = attachedNetwork(references, spec);
  const cause = network === null ? undefined : recreated.get(network);
  if (cause) return because('dependency', cause.message);
  const host = references.networkContainer;
  return host !== null && pass.graph.has(opId('container.remove', host))
    ? because('dependency', `${host}, whose network it shares, is recreated`)
    : null;
}

/** Reports whether a failed update holds the app back. */
function isHeldBack({ desired }: Pass, app: string): boolean {
  return desired.heldBack?.get(app)?.failed === true;
}

function surroundings(
  pass: Pass,
  desired: Container,
  container: ObservedContainer | undefined,
  recreated: ReadonlyMap<ResourceKey, Cause>,
): Surroundings {
  const { references, key, app, specHash } = desired;
  const image = references.image === null ? undefined : pass.observed.images.get(references.image);
  const settled = image !== undefined && pass.graph.chain(image.key).length === 0;
  return {
    now: pass.now,
    seed: pass.seed,
    imageId: settled ? image.imageId : null,
    stopped: container !== undefined && isStopped(container, isHeldBack(pass, app) ? null : specHash),
    heldAt: pass.desired.heldBack?.get(app)?.generation,
    moved: movedBy(pass, desired, recreated),
    linkAddresses: () => addressesByAlias(pass, desired),
    dependencyUpAtBootMs: () => latestRecovery(pass, startDependencies(references)),
    restartedDependencies: () => restartedSince(pass, desired, container),
    readyAgain: () => restartedSince(pass, desired, container).filter((need) => isUsable(pass, need)),
    shared: () => pass.relations.neededBy(key).some((user) => sharesNetwork(pass, user, key)),
  };
}

function addressesByAlias(pass: Pass, { references, spec }: Container): Readonly<Record<string, string>> {
  const entries = references.links.flatMap((target, index) => {
    const address = pass.observed.containers.get(target)?.address ?? null;
    const alias = spec.links[index]?.alias;
    return address === null || alias === undefined ? [] : [[alias, address] as const];
  });
  return Object.fromEntries(entries);
}

/** Returns when the last of the containers became ready (by probes, if any) or started; null when none did. */
function latestRecovery(pass: Pass, keys: readonly ResourceKey[]): number | null {
  const times = keys.map((key) => {
    const container = pass.observed.containers.get(key);
    if (!container?.health) return container?.startedAtBootMs ?? null;
    // Probe times of an ended run may come from another boot; they cannot be compared.
    return container.running ? container.health.readySinceBootMs : null;
  });
  return times.reduce((latest, at) => (at !== null && (latest === null || at > latest) ? at : latest), null);
}

/** Returns the dependencies that restarted since the container started. */
function restartedSince(
  pass: Pass,
  { references }: Container,
  container: ObservedContainer | undefined,
): ResourceKey[] {
  return startDependencies(references).filter((key) => {
    const known = container?.dependencyRuns?.[key];
    const now = pass.observed.containers.get(key);
    return known !== undefined && now !== undefined && known !== runName(now);
  });
}

/** Reports whether a container is ready and no op changes it. */
function isUsable(pass: Pass, key: ResourceKey): boolean {
  const [desired, container] = [pass.desired.resources.get(key), pass.observed.containers.get(key)];
  if (!container || pass.busy.has(key) || pass.graph.chain(key).length > 0) return false;
  return isReady(container, desired && isContainer(desired) ? desired.spec : specOf(container));
}

/** Reports whether `user`, or a container in its namespace, runs in the network namespace of `host`. */
export function sharesNetwork(pass: Pass, user: ResourceKey, host: ResourceKey): boolean {
  const desired = pass.desired.resources.get(user);
  if (!desired || !isContainer(desired) || desired.references.networkContainer !== host) return false;
  if (pass.observed.containers.get(user)?.running === true) return true;
  return pass.relations.neededBy(user).some((next) => sharesNetwork(pass, next, user));
}

/** Reports whether `desired` is what the container was made from, replaced by another declaration. */
function isReplaced(pass: Pass, { key, specHash }: Container): boolean {
  return pass.desired.resources.get(baseKey(key))?.specHash !== specHash;
}

/**
 * Returns the part of an intent that may run now; the rest becomes a hold.
 * @param stands true when the container, or the one it replaces, exists: it stays as it is while images load
 * @param forgiven true to ignore an earlier failure
 */
function permitted(pass: Pass, desired: Container, intent: Intent, stands: boolean, forgiven = false): Intent {
  if (intent.steps.length === 0) return intent;
  const failed = forgiven ? null : failureHold(pass, desired.key, desired);
  if (failed) return { ...intent, steps: [], hold: intent.hold ?? failed };
  if (!intent.steps.some((step) => step.name === 'start')) return intent;

  // Obstacles are computed for the current declaration.
  const obstacle = isReplaced(pass, desired) ? undefined : pass.observed.obstacles.get(baseKey(desired.key));
  const hint = pass.observed.obstacleHints?.get(baseKey(desired.key));
  const creates = intent.steps.some((step) => step.name === 'create');
  // A restart for a change waits for the image as well: it would run once with the old one.
  const changes = pass.observed.containers.get(desired.key)?.specHash !== desired.specHash;
  const loads = loadingNeed(pass, desired, creates || changes);
  const waiting =
    obstacle !== undefined ? null : loads !== null && stands ? afterLoad(intent, loads) : unmet(pass, desired, creates);
  if (obstacle === undefined && waiting === null) {
    if (loads !== null) pass.loading.add(desired.key);
    return intent;
  }
  const { key } = desired;
  return {
    ...intent,
    steps: intent.steps.filter((step) => step.name === 'update' || step.name === 'signal'),
    hold: waiting
      ? {
          key,
          reason: waiting.busy ? 'busy' : 'dependency-not-ready',
          message: waiting.message,
          ...(waiting.hint !== undefined && { hint: waiting.hint }),
          untilBootMs: null,
        }
      : {
          key,
          reason: 'unavailable',
          message: obstacle ?? '',
          ...(hint !== undefined && { hint }),
          untilBootMs: pass.now.bootMs + OBSTACLE_RECHECK_MS,
        },
  };
}

/** Returns the hold message for steps that wait for an image. */
function afterLoad({ steps }: Intent, need: ResourceKey): Unmet {
  const has = (step: Step['name']) => steps.some(({ name }) => name === step);
  const then = has('remove') ? 'recreated' : has('create') ? 'made' : has('stop') ? 'restarted' : 'started';
  const loaded = parseKey(need).kind === 'image' ? 'loaded' : 'there, whose image is being loaded';
  return { busy: true, message: `${steps[0]?.cause.message ?? ''}; ${then} when ${need} is ${loaded}` };
}

function draftOf(
  pass: Pass,
  desired: Container,
  container: ObservedContainer | undefined,
  intent: Intent,
  step: Step,
): OpDraft {
  const { key } = desired;
  const made = intent.steps.some(({ name }) => name === 'create');
  const minted = () => mintId(pass.seed, key, String(pass.desired.generation), container?.id ?? '');
  const containerId =
    container && (!made || OP_TRAITS[`container.${step.name}`].direction === 'down') ? container.id : minted();
  const asMade = isReplaced(pass, desired) ? { asMade: desired.specHash } : {};
  const base = { key, cause: step.cause, containerId, ...asMade };
  switch (step.name) {
    case 'stop':
      return {
        ...base,
        op: 'container.stop',
        ...stopTerms(container),
        restart: intent.steps.some(({ name }) => name === 'start'),
      };
    case 'remove':
      return { ...base, op: 'container.remove' };
    case 'start':
      return {
        ...base,
        op: 'container.start',
        run: made ? 1 : (container?.run ?? 0) + 1,
        ...intent.counters,
      };
    case 'signal':
      return {
        ...base,
        op: 'container.signal',
        signals: intent.signals,
        ...(intent.dependencies.length > 0 && { dependencies: intent.dependencies }),
      };
    case 'update':
      return { ...base, op: 'container.update', fields: intent.fields };
    case 'connect':
      return { ...base, op: 'container.connect' };
    case 'disconnect':
    case 'create':
    case 'relink':
      return { ...base, op: `container.${step.name}` };
  }
}

/** Returns signal and timeout of a stop: as the run was started with, unless the stop command gave a timeout. */
function stopTerms(container: ObservedContainer | undefined): { timeoutMs: number; signal: SignalName } {
  const spec = container && specOf(container);
  return { timeoutMs: container?.stopTimeoutMs ?? spec?.stopTimeoutMs ?? 0, signal: spec?.stopSignal ?? 'SIGKILL' };
}

/** Plans only the manual stop of a container whose manifest cannot be used. */
export function planStopOfLeft(pass: Pass, key: ResourceKey, container: ObservedContainer): void {
  const { running, stopUntil } = container;
  if (!isStopped(container, null) || whyUntouchable(container) !== null || pass.busy.has(key)) return;
  if (!running) {
    hold(pass, key, 'stopped-by-user', `${describeStop(container)}; its manifest cannot be used`, stopUntil?.bootMs);
    return;
  }
  const failed = failureHold(pass, key, undefined);
  if (failed) {
    pass.holds.set(key, Object.freeze(failed));
    return;
  }
  const cause = because('requested', 'stop requested');
  const terms = { ...stopTerms(container), restart: false };
  pass.graph.add({ key, cause, containerId: container.id, op: 'container.stop', ...terms });
}

/** Plans the removal of a container that no manifest declares. */
export function planRemoval(
  pass: Pass,
  key: ResourceKey,
  container: ObservedContainer,
  cause = because('removed', 'no longer declared'),
  declaration?: Container,
): void {
  if (whyUntouchable(container) !== null || pass.busy.has(key)) return;
  const failed = failureHold(pass, key, declaration);
  if (failed) {
    pass.holds.set(key, Object.freeze(failed));
    return;
  }
  for (const { name } of removalIntent(container, cause).steps) {
    const base = { key, cause, containerId: container.id };
    if (name === 'stop') pass.graph.add({ ...base, op: 'container.stop', ...stopTerms(container), restart: false });
    else if (name === 'disconnect') pass.graph.add({ ...base, op: 'container.disconnect' });
    else pass.graph.add({ ...base, op: 'container.remove' });
  }
}
