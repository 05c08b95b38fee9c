/** Changes of what is wanted, as streams of events. */
import type { ApplyEvent, ApplyOptions, IssueView, ManifestInput, RollbackOptions } from '../api/supervisor.ts';
import type { DesiredState } from '../model/desired.ts';
import { TsdError } from '../model/errors.ts';
import { parseKey, type ResourceKey } from '../model/resource.ts';
import type { World } from '../reconcile/ops/world.ts';
import { asker } from './actors.ts';
import type { SupervisorEventBus } from './events.ts';
import { postponed } from './hints.ts';
import type { LoopStatus } from './loop-status.ts';
import { diffStates, planOfApps, planView } from './plan-views.ts';
import type { Planner } from './planner.ts';
import { readiness } from './readiness.ts';
import type { Sources } from './sources.ts';
import type { LoopState, ViewInput } from './view-input.ts';

export interface ApplyParts {
  readonly world: World;
  readonly sources: Sources;
  readonly events: SupervisorEventBus;
  readonly loop: LoopState & Pick<LoopStatus, 'enqueue' | 'isWorkingOn'>;
  readonly planner: Planner;
  viewInput(): ViewInput;
  /** What to do about the failure of a resource that a message tells of. */
  readonly hint: (key: ResourceKey, message: string) => string;
}

/** A waiting client looks again after this long even when nothing seems to change. */
const RECHECK_MS = 1_000;
/** Least time between two looks while ops go on. */
const LOOK_INTERVAL_MS = 10;
/** And looks at many containers take one part in so many of the time: the ops need it more. */
const LOOK_SHARE = 10;

const appOf = (key: string): string => key.split('/')[1] ?? '';

/** Op events of some apps, gathered for a stream that is read slower than they come. */
class OpFeed {
  readonly #events: SupervisorEventBus;
  readonly #queue: ApplyEvent[] = [];
  readonly #listener: (event: Extract<ApplyEvent, { type: 'op' | 'progress' }>) => void;

  constructor(events: SupervisorEventBus, apps: ReadonlySet<string>) {
    this.#events = events;
    this.#listener = (event) => {
      if (apps.has(appOf(event.resource))) this.#queue.push(event);
    };
    events.on('op', this.#listener);
  }

  take(): ApplyEvent[] {
    return this.#queue.splice(0);
  }

  close(): void {
    this.#events.off('op', this.#listener);
  }
}

function whereToLook(key: ResourceKey): string {
  const { kind, app, name } = parseKey(key);
  const shown = `${app}/${name}`;
  if (kind !== 'container') return `\`tsdocker why ${key}\` tells how it came.`;
  return `\`tsdocker logs ${shown}\` shows what it wrote, \`tsdocker why ${shown}\` how it came.`;
}

/** Streams progress until the apps are ready, one of them cannot become so, or the time is over. */
async function* waitUntilReady(
  parts: ApplyParts,
  apps: ReadonlySet<string>,
  feed: OpFeed,
  waitMs: number,
  signal?: AbortSignal,
): AsyncGenerator<ApplyEvent> {
  const deadline = parts.world.clock.now().bootMs + waitMs;
  let last = '';
  while (!signal?.aborted) {
    yield* feed.take();
    const lookedAt = parts.world.clock.now().bootMs;
    const state = readiness(parts.viewInput(), apps);
    const tookMs = parts.world.clock.now().bootMs - lookedAt;
    if (state.state === 'ready') {
      yield { type: 'ready', generation: parts.sources.generation };
      return;
    }
    const ended = parts.loop.ended();
    if (ended !== null) {
      yield { type: 'failed', error: postponed(ended).toJSON() };
      return;
    }
    if (state.state === 'failed') {
      const error = new TsdError('TSD_CONTAINER_SETUP', `${state.resource}: ${state.message}`, {
        key: state.resource,
        hint: parts.hint(state.resource, state.message) || whereToLook(state.resource),
      });
      yield { type: 'failed', error: error.toJSON() };
      return;
    }
    const left = deadline - parts.world.clock.now().bootMs;
    if (left <= 0) {
      const message = `not ready after ${waitMs / 1000} s: ${state.resource}: ${state.message}`;
      const hint = parts.hint(state.resource, state.message) || whereToLook(state.resource);
      yield { type: 'failed', error: new TsdError('TSD_TIMEOUT', message, { hint }).toJSON() };
      return;
    }
    const line = `${state.resource}: ${state.message}`;
    if (line !== last) yield { type: 'waiting', resource: state.resource, message: state.message };
    last = line;
    await parts.events.nextChange(Math.min(left, RECHECK_MS), signal);
    await whileWorking(parts, apps, lookedAt + Math.max(LOOK_INTERVAL_MS, tookMs * LOOK_SHARE), signal);
  }
}

/** Many ops end in a burst, and one look answers for all of them; at the end of the last one nobody waits any longer. */
async function whileWorking(
  { world, loop, events }: ApplyParts,
  apps: ReadonlySet<string>,
  untilBootMs: number,
  signal?: AbortSignal,
): Promise<void> {
  while (!signal?.aborted && loop.isWorkingOn(apps)) {
    const left = untilBootMs - world.clock.now().bootMs;
    if (left <= 0) return;
    await events.nextChange(left, signal);
  }
}

/** A change of what is wanted, before it is made. */
interface Change {
  readonly preview: DesiredState;
  /** Problems that forbid it. */
  readonly issues: readonly IssueView[];
  readonly apps: ReadonlySet<string>;
  /** Images to be resolved anew. */
  readonly anew: readonly ResourceKey[];
  /** Makes it, all or nothing. Returns problems that were not there before. */
  readonly make: () => readonly IssueView[];
}

/** Makes a change unless issues forbid it, tells its plan, and waits for it where that is asked for. */
export async function* takeOver(
  parts: ApplyParts,
  { preview, issues, apps, anew, make }: Change,
  options: { readonly dryRun: boolean; readonly waitMs: number | null },
  signal?: AbortSignal,
): AsyncGenerator<ApplyEvent> {
  const { sources } = parts;
  if (issues.length > 0) {
    yield { type: 'rejected', issues };
    return;
  }
  const { planner } = parts;
  const plan = options.dryRun ? planner.everything(preview, anew) : planner.ofApps(preview, apps, anew);
  const view = planView(planOfApps(plan, apps), parts.hint);
  if (options.dryRun) {
    yield { type: 'accepted', generation: sources.generation, plan: view };
    return;
  }
  const feed = new OpFeed(parts.events, apps);
  try {
    const rejected = make();
    if (rejected.length > 0) {
      yield { type: 'rejected', issues: rejected };
      return;
    }
    parts.world.resources.askAnew(anew);
    parts.loop.enqueue(anew);
    yield { type: 'accepted', generation: sources.generation, plan: view };
    const ended = parts.loop.ended();
    const isLeft = () => view.ops.length > 0 || readiness(parts.viewInput(), apps).state !== 'ready';
    if (ended !== null && isLeft()) {
      yield { type: options.waitMs === null ? 'postponed' : 'failed', error: postponed(ended).toJSON() };
    } else if (options.waitMs !== null) yield* waitUntilReady(parts, apps, feed, options.waitMs, signal);
  } finally {
    feed.close();
  }
}

/** Applied as well, a watched file would be in conflict with itself. */
function refusal(file: string): TsdError {
  return new TsdError('TSD_OWNED_BY_MANIFEST', `${file} is in the watched directory`, {
    hint:
      'Edits of it are taken over by themselves; `tsdocker get manifests` shows how it stands, and `apply --refresh` of ' +
      'such files alone asks anew for their images.',
  });
}

/**
 * Asks anew for the images of files of the watched directory, as they are in force.
 * @throws TsdError TSD_OWNED_BY_MANIFEST for a file of which nothing is
 */
function refreshWatched(sources: Sources, inputs: readonly ManifestInput[]): Change {
  const inForce = sources.preview([]);
  for (const input of inputs) if (sources.inputApps([input], inForce).size === 0) throw refusal(input.file);
  const apps = sources.inputApps(inputs, inForce);
  const anew = imagesOf(sources.state, apps);
  return { preview: sources.state, issues: [], apps, anew, make: () => [] };
}

function imagesOf({ resources }: DesiredState, apps: ReadonlySet<string>): ResourceKey[] {
  return [...resources.values()].filter(({ kind, app }) => kind === 'image' && apps.has(app)).map(({ key }) => key);
}

/** @throws TsdError for a file of the watched directory, unless only their images are to be asked for anew */
export async function* apply(
  parts: ApplyParts,
  inputs: readonly ManifestInput[],
  { refresh = false, askedBy, ...options }: ApplyOptions,
  signal?: AbortSignal,
): AsyncGenerator<ApplyEvent> {
  const { sources } = parts;
  const watched = inputs.filter(({ file }) => sources.isWatched(file));
  const [first] = watched;
  if (first && refresh && watched.length === inputs.length) {
    yield* takeOver(parts, refreshWatched(sources, inputs), options, signal);
    return;
  }
  if (first) throw refusal(first.file);
  await sources.look(inputs);
  const preview = sources.preview(inputs);
  const apps = sources.inputApps(inputs, preview);
  const change: Change = {
    preview: preview.state,
    issues: sources.inputIssues(inputs, preview),
    apps,
    anew: refresh ? imagesOf(preview.state, apps) : [],
    make: () => sources.apply(inputs, asker(askedBy)),
  };
  yield* takeOver(parts, change, options, signal);
}

/** @throws TsdError when the generation is not kept, or watched files differ from it and are not to be held back. */
export async function* rollback(
  parts: ApplyParts,
  generation: number,
  { hold, askedBy, ...options }: RollbackOptions,
  signal?: AbortSignal,
): AsyncGenerator<ApplyEvent> {
  const { sources } = parts;
  await sources.lookBack(generation, hold);
  const preview = sources.previewRollback(generation, hold);
  const change: Change = {
    preview: preview.state,
    issues: sources.newIssues(preview),
    apps: new Set(diffStates(sources.state, preview.state).map(({ resource }) => appOf(resource))),
    anew: [],
    make: () => sources.rollback(generation, hold, asker(askedBy)),
  };
  yield* takeOver(parts, change, options, signal);
}
