/** Whether what some apps declare is there. */
import type { Instant } from '../../model/clock.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { HOLD_TRAITS } from '../../model/status/holds.ts';
import { changedBase } from '../../reconcile/plan/bases.ts';
import { soonest } from '../../reconcile/plan/intent.ts';
import { isContainer, startConditions } from '../../reconcile/plan/references.ts';
import { describeStop } from '../../reconcile/plan/restart.ts';
import { type EndedRun, judgeRun, type RunVerdict, settleOf } from '../../reconcile/plan/run-verdict.ts';
import { isStopped } from '../../reconcile/plan/stopped.ts';
import type { ViewInput } from '../views/view-input.ts';
import { statusOf } from '../views/views.ts';

/** How a look is to judge what runs. */
interface Judging {
  readonly now: Instant;
  /** Boot clock, when what is waited for was asked for. */
  readonly sinceBootMs: number;
  /** For all containers, in place of what their manifests say; null for that. */
  readonly settleMs: number | null;
  /** The last end of a container since then that was not asked for. */
  ended(key: ResourceKey, container: ObservedContainer): EndedRun | null;
}

type Input = Pick<ViewInput, 'desired' | 'observed' | 'loop'> & { readonly judging: Judging };

interface Waiting {
  readonly state: 'waiting';
  readonly resource: ResourceKey;
  readonly message: string;
  /** Boot clock, when to look again; null waits for an event. */
  readonly untilBootMs: number | null;
}

interface Failed {
  readonly state: 'failed';
  readonly resource: ResourceKey;
  readonly message: string;
  /** Its run ended, with these last lines. */
  readonly ended?: { readonly log: readonly string[] };
  /** Its update failed and was taken back: the timeline holds what it wrote. */
  readonly updateFailed?: boolean;
  /** What to do about an op that failed. */
  readonly hint?: string | undefined;
}

/** What is as it should be, though it does not run. */
interface AtRest {
  readonly resource: ResourceKey;
  readonly message: string;
}

interface Ready {
  readonly state: 'ready';
  /** Containers that have settled. */
  readonly running: number;
  readonly completed: readonly AtRest[];
  readonly stopped: readonly AtRest[];
}

export type Readiness = Ready | Waiting | Failed;

type OfOne =
  | Waiting
  | Failed
  | { readonly state: 'ready'; readonly runs: boolean }
  | ({ readonly state: 'completed' | 'stopped' } & AtRest);

const THERE = { state: 'ready', runs: false } as const;

function hasImage({ desired, observed }: Input, key: ResourceKey): boolean {
  const image = observed.images.get(key);
  const declared = desired.resources.get(key);
  if (declared && (image?.specHash !== declared.specHash || changedBase(declared, observed.images) !== null))
    return false;
  return image?.current === true && image.imageId !== null;
}

function ofPrerequisite(input: Input, key: ResourceKey): OfOne {
  const { kind } = parseKey(key);
  const present =
    (kind === 'image' && hasImage(input, key)) ||
    (kind === 'volume' && input.observed.volumes.get(key)?.released === false) ||
    (kind === 'network' && input.observed.networks.get(key)?.missing.length === 0);
  if (present && !input.loop.inFlight(key)) return THERE;
  const hold = input.loop.hold(key);
  const message = hold?.message ?? 'not ready yet';
  if (hold && HOLD_TRAITS[hold.reason].failure === 'final') return { state: 'failed', resource: key, message };
  return { state: 'waiting', resource: key, message, untilBootMs: null };
}

/** False while a container runs the image that its declaration meant before. */
function isOfItsImage({ desired, observed }: Input, key: ResourceKey): boolean {
  const image = desired.resources.get(key)?.references.image ?? null;
  const wanted = image === null ? null : (observed.images.get(image)?.imageId ?? null);
  return wanted === null || observed.containers.get(key)?.imageId === wanted;
}

/** Containers of which others wait for the end: they are not done while they run. */
export function awaitedEnds({ resources }: DesiredState): ReadonlySet<ResourceKey> {
  const conditions = [...resources.values()]
    .filter(isContainer)
    .flatMap(({ references, spec }) => startConditions(references, spec));
  return new Set(conditions.filter(({ condition }) => condition === 'completed').map(({ key }) => key));
}

/** Returns the failed update of the app, for the container that failed and no other. */
function failedUpdate({ desired, observed }: Input, key: ResourceKey): Failed | null {
  const { failure = null, hint } = observed.updates?.get(key) ?? {};
  if (failure !== null)
    return { state: 'failed', resource: key, message: `update failed: ${failure}`, updateFailed: true, hint };
  const held = desired.heldBack?.get(parseKey(key).app);
  if (held?.failed !== true) return null;
  return {
    state: 'failed',
    resource: held.container ?? key,
    message: held.reason,
    updateFailed: true,
    hint: held.hint,
  };
}

/** @param hint what to do about the op that failed last, where one did */
function ofVerdict(resource: ResourceKey, message: string, verdict: RunVerdict, hint: string | undefined): OfOne {
  switch (verdict.is) {
    case 'ready':
      return { state: 'ready', runs: true };
    case 'completed':
      return { state: 'completed', resource, message: verdict.message };
    case 'failed':
      return { state: 'failed', resource, message: verdict.message, ended: { log: verdict.log } };
    case 'unstartable':
      return { state: 'failed', resource, message: verdict.message, hint };
    case 'waiting': {
      // What the loop waits for says more, and what settles has nothing that waits.
      const text = message === '' ? verdict.message : message;
      return { state: 'waiting', resource, message: text, untilBootMs: verdict.untilBootMs };
    }
  }
}

/** What it waits for is stopped by a person, itself or through others: nothing will come of waiting. */
function waitsForStopped(input: Input, key: ResourceKey, above: ReadonlySet<ResourceKey>): ResourceKey | null {
  const { desired, observed, loop } = input;
  const declared = desired.resources.get(key);
  const hold = loop.hold(key);
  if (!declared || !isContainer(declared) || !hold || HOLD_TRAITS[hold.reason].waitsFor !== 'needs') return null;
  const found = startConditions(declared.references, declared.spec).find(({ key: need }) => {
    if (above.has(need)) return false;
    const container = observed.containers.get(need);
    const target = desired.resources.get(need);
    if (container && target && !container.running && isStopped(container, target.specHash)) return true;
    return waitsForStopped(input, need, new Set([...above, need])) !== null;
  });
  return found?.key ?? null;
}

function ofStopped(input: Input, declared: Desired, container: ObservedContainer | undefined): OfOne | null {
  const { key, specHash } = declared;
  if (container && isStopped(container, specHash)) {
    const message = describeStop(container);
    if (container.running)
      return { state: 'waiting', resource: key, message: 'it is being stopped', untilBootMs: null };
    return { state: 'stopped', resource: key, message };
  }
  if (container?.running) return null;
  const need = waitsForStopped(input, key, new Set([key]));
  return need === null ? null : { state: 'stopped', resource: key, message: `waits for ${need}, which is stopped` };
}

function ofContainer(input: Input, key: ResourceKey, awaited: ReadonlySet<ResourceKey>): OfOne {
  const { desired, observed, loop, judging } = input;
  const failure = failedUpdate(input, key);
  // What it wrote is on the timeline when that op has ended.
  if (failure && loop.inFlight(failure.resource)?.op !== 'container.fail-update') return failure;
  const declared = desired.resources.get(key);
  const container = observed.containers.get(key);
  const status = statusOf(input, key);
  const message = status.message === '' ? status.phase : status.message;
  const waiting: OfOne = { state: 'waiting', resource: key, message, untilBootMs: null };
  if (failure || observed.updates?.get(key)?.cutOverAtBootMs === null) return waiting;
  if (!declared || !isContainer(declared) || loop.inFlight(key)) return waiting;
  const stopped = ofStopped(input, declared, container);
  if (stopped) return stopped;
  const current = container?.specHash === declared.specHash && isOfItsImage(input, key);
  const verdict =
    container && current
      ? judgeRun({
          ...judging,
          container,
          spec: declared.spec,
          awaited: awaited.has(key),
          settleMs: settleOf(declared.spec, judging.settleMs),
          ended: judging.ended(key, container),
        })
      : null;
  const decided = verdict && ofVerdict(key, status.message, verdict, observed.failures.get(key)?.hint);
  if (decided && decided.state !== 'waiting') return decided;
  if (status.phase === 'Failed') return { state: 'failed', resource: key, message };
  return decided ?? waiting;
}

/** Returns the containers to wait for: declared or existing, without predecessors that drain. */
function containersOf({ desired, observed }: Input, apps: ReadonlySet<string>): ResourceKey[] {
  const keys = new Set([...desired.resources.keys(), ...observed.containers.keys()]);
  const concerned = [...keys].filter((key) => {
    const { kind, app, name } = parseKey(key);
    return kind === 'container' && apps.has(app) && !name.endsWith('.old');
  });
  return concerned.sort();
}

/** The first that waits, with the earliest time to look again of all. */
function together(all: readonly OfOne[]): Readiness {
  const waiting = all.filter((one) => one.state === 'waiting');
  const [first] = waiting;
  if (first) return { ...first, untilBootMs: soonest(waiting.map(({ untilBootMs }) => untilBootMs)) };
  const atRest = (state: 'completed' | 'stopped'): AtRest[] =>
    all.flatMap((one) => (one.state === state ? [{ resource: one.resource, message: one.message }] : []));
  const running = all.filter((one) => one.state === 'ready' && one.runs).length;
  return { state: 'ready', running, completed: atRest('completed'), stopped: atRest('stopped') };
}

/**
 * Reports whether everything of some apps is as declared: containers have settled or completed, other resources exist, and
 * removed ones are gone.
 */
export function readiness(input: Input, apps: ReadonlySet<string>): Readiness {
  const prerequisites = [...input.desired.resources.keys()].filter((key) => {
    const { kind, app } = parseKey(key);
    return kind !== 'container' && apps.has(app);
  });
  const awaited = awaitedEnds(input.desired);
  const all = [
    ...prerequisites.map((key) => ofPrerequisite(input, key)),
    ...containersOf(input, apps).map((key) => ofContainer(input, key, awaited)),
  ];
  return all.find((one) => one.state === 'failed') ?? together(all);
}
