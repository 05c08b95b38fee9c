/** Containers: each one's intent, held back or ordered by what it depends on. */
import type { Desired } from '../../model/desired.ts';
import { type ObservedContainer, runName } from '../../model/observed.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import type { SignalName } from '../../model/signals.ts';
import { baseKey, nextKey, type ObservedUpdate, oldKey, successorOf, type UpdateTerms } from '../../model/update.ts';
import type { Cause, Hold } from '../op.ts';
import { OP_TRAITS, opId } from '../op-traits.ts';
import { because } from './cause.ts';
import type { Intent, Step, Surroundings } from './intent.ts';
import { changeIntent, creationIntent, removalIntent, soonest } from './intent.ts';
import { mintId } from './mint.ts';
import { loadingNeed, type Unmet, unmet } from './needs.ts';
import type { OpDraft } from './op-graph.ts';
import { hostPorts } from './ordering.ts';
import type { Pass } from './pass.ts';
import { failureHold, hold } from './pass.ts';
import { isReady } from './readiness.ts';
import { attachedNetwork, isContainer, specOf, startDependencies } from './references.ts';
import { describeStop } from './restart.ts';
import { isSettled } from './settled.ts';
import { isStopped } from './stopped.ts';
import { planUpdate, supervised, type UpdateInput, type UpdatePlan } from './update.ts';

/** How soon the host is asked again about what kept a container from starting; it sends no event. */
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

/** Plans a container that may be touched, and those beside it that an update made. */
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

/** Holds of changes that nothing has been tried of. */
const WAITING: ReadonlySet<Hold['reason']> = new Set(['unavailable', 'dependency-not-ready', 'busy']);

/** What it may do now. While its change cannot be made it is kept up as what it was made from. */
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
  // What failed is tried again; as what it was made from it would only fail as well, and the two in turn.
  const waits = allowed.hold !== null && WAITING.has(allowed.hold.reason) && allowed.steps.length === 0;
  const changes = as.specHash !== container?.specHash || creates;
  const asked = container?.running === true && container.restartRequested;
  if (!container || !waits || allowed.hold === null || !(changes || asked) || takesFromOthers(pass, input)) {
    return { as, intent: allowed };
  }
  let kept = supervised(input, allowed.hold);
  let keeps = permitted(pass, kept.as, kept.intent, true);
  if (asked && keeps.steps.length === 0) {
    // The run that goes on until a restart may be made is kept up like any other.
    kept = supervised({ ...input, container: { ...container, restartRequested: false } }, allowed.hold);
    keeps = permitted(pass, kept.as, kept.intent, true);
  }
  if (keeps.hold?.reason === 'backing-off') return { as: kept.as, intent: keeps };
  const untilBootMs = soonest([allowed.hold.untilBootMs, keeps.hold?.untilBootMs ?? null]);
  return { as: kept.as, intent: { ...keeps, hold: { ...allowed.hold, untilBootMs } } };
}

/**
 * True where the failure is the start of a container of another image than the declared one: that says nothing of the
 * container that takes its place. What fails on the way there is tried less and less often.
 */
function isOfOldImage(pass: Pass, { desired, container, around }: UpdateInput): boolean {
  const { startError = null, imageId = null } = container ?? {};
  if (startError === null || imageId === null || around.imageId === null || imageId === around.imageId) return false;
  const failure = pass.observed.failures.get(desired.key);
  return failure?.op === 'container.start' && failure.class === startError.class;
}

/** A container that has ended as it was made would publish what another one is declared with by now. */
function takesFromOthers(pass: Pass, { container, desired }: UpdateInput): boolean {
  if (!container || container.running) return false;
  const mine = new Set(hostPorts(specOf(container)));
  if (mine.size === 0) return false;
  return [...pass.desired.resources.values()].some((other) => {
    return other.key !== desired.key && isContainer(other) && hostPorts(other.spec).some((port) => mine.has(port));
  });
}

/** What keeps the ops of an update back: an earlier failure of theirs, not the one that they are about. */
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

/** Before anything is stopped: what cannot be made changes nothing. */
function directoriesDraft(pass: Pass, desired: Container, { steps }: Intent): OpDraft[] {
  const missing = pass.observed.missingDirectories?.get(baseKey(desired.key)) ?? [];
  if (missing.length === 0 || isReplaced(pass, desired) || !steps.some(({ name }) => name === 'start')) return [];
  const cause = because('missing', `missing, and to be made as its mount says: ${missing.join(', ')}`);
  return [{ op: 'container.make-directories', key: desired.key, cause }];
}

/** The container that is made beside the one it will replace. What it waits for is told of the latter. */
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
    // The container itself may have a time of its own to be looked at.
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

/** An update of the app failed and brought it back. */
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

/** When the latest of these came up, by its probes where it has some. */
function latestRecovery(pass: Pass, keys: readonly ResourceKey[]): number | null {
  const times = keys.map((key) => {
    const container = pass.observed.containers.get(key);
    if (!container?.health) return container?.startedAtBootMs ?? null;
    // What its probes found of a run that has ended may be of another boot, whose clock says nothing now.
    return container.running ? container.health.readySinceBootMs : null;
  });
  return times.reduce((latest, at) => (at !== null && (latest === null || at > latest) ? at : latest), null);
}

/** Dependencies that are in another run than when this one started. */
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

/** Nothing of it is being changed, and it is ready. */
function isUsable(pass: Pass, key: ResourceKey): boolean {
  const [desired, container] = [pass.desired.resources.get(key), pass.observed.containers.get(key)];
  if (!container || pass.busy.has(key) || pass.graph.chain(key).length > 0) return false;
  return isReady(container, desired && isContainer(desired) ? desired.spec : specOf(container));
}

/** A running container uses the namespace of `host`, through others or itself. */
export function sharesNetwork(pass: Pass, user: ResourceKey, host: ResourceKey): boolean {
  const desired = pass.desired.resources.get(user);
  if (!desired || !isContainer(desired) || desired.references.networkContainer !== host) return false;
  if (pass.observed.containers.get(user)?.running === true) return true;
  return pass.relations.neededBy(user).some((next) => sharesNetwork(pass, next, user));
}

/** What a container was made from, and not what is declared by now. */
function isReplaced(pass: Pass, { key, specHash }: Container): boolean {
  return pass.desired.resources.get(baseKey(key))?.specHash !== specHash;
}

/**
 * The part of an intent that may be carried out now; the rest becomes a hold.
 * @param stands it exists, or is made beside one that does: it must stay within reach while images are loaded
 * @param forgiven what failed before is no reason to wait
 */
function permitted(pass: Pass, desired: Container, intent: Intent, stands: boolean, forgiven = false): Intent {
  if (intent.steps.length === 0) return intent;
  const failed = forgiven ? null : failureHold(pass, desired.key, desired);
  if (failed) return { ...intent, steps: [], hold: intent.hold ?? failed };
  if (!intent.steps.some((step) => step.name === 'start')) return intent;

  // They are those of the present declaration.
  const obstacle = isReplaced(pass, desired) ? undefined : pass.observed.obstacles.get(baseKey(desired.key));
  const hint = pass.observed.obstacleHints?.get(baseKey(desired.key));
  const creates = intent.steps.some((step) => step.name === 'create');
  // A change that takes no more than a restart waits as well: it would run once with the image of before.
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

/** What follows when it is there, for who reads the plan. */
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

/** A run is ended under the terms it was started with, in the time that a person gives it where one does. */
function stopTerms(container: ObservedContainer | undefined): { timeoutMs: number; signal: SignalName } {
  const spec = container && specOf(container);
  return { timeoutMs: container?.stopTimeoutMs ?? spec?.stopTimeoutMs ?? 0, signal: spec?.stopSignal ?? 'SIGKILL' };
}

/** A stop holds whatever a manifest that cannot be used may say of its container; nothing else of it is changed. */
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

/** A container that is not declared any more. */
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
