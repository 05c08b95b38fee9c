/** Changes of what is wanted, as streams of events. */

import type { ApplyEvent, ApplyOptions, ManifestInput, RollbackOptions } from '../../api/requests.ts';
import type { FileNote } from '../../api/views/plan-views.ts';
import type { IssueView } from '../../api/views/resource-views.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { seccompNotes } from '../../model/notes/seccomp-notes.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { type LimitSupport, limitNotes } from '../../reconcile/kernel-limits.ts';
import type { ResourceStore } from '../../state/history/resource-store.ts';
import type { LoopStatus } from '../loop-status.ts';
import { liveNotes } from '../sources/file-notes.ts';
import type { Sources } from '../sources/sources.ts';
import { postponed } from '../views/hints.ts';
import { diffStates, planOfApps, planView } from '../views/plan-views.ts';
import type { Planner, Wanted } from '../views/planner.ts';
import type { LoopState } from '../views/view-input.ts';
import { asker } from './actors.ts';
import { type EndPorts, Ends } from './ends.ts';
import { readiness } from './readiness.ts';
import { OpFeed, type WaitParts, waitUntilReady } from './wait-until-ready.ts';

export interface ApplyParts extends WaitParts, EndPorts {
  readonly containers: WaitParts['containers'] & EndPorts['containers'];
  readonly resources: Pick<ResourceStore, 'requestRefresh'>;
  readonly sources: Sources;
  readonly loop: LoopState & Pick<LoopStatus, 'enqueue' | 'isWorkingOn'>;
  readonly planner: Planner;
  readonly limits: LimitSupport;
}

const appOf = (key: string): string => key.split('/')[1] ?? '';

/** A change of what is wanted, before it is made. */
interface Change {
  readonly preview: Wanted;
  /** Problems that forbid it. */
  readonly issues: readonly IssueView[];
  readonly apps: ReadonlySet<string>;
  /** What it does not bring along. */
  readonly notes?: readonly FileNote[];
  /** Images to resolve again. */
  readonly refreshed: readonly ResourceKey[];
  /** Builds among them that take nothing from earlier ones. */
  readonly uncached?: readonly ResourceKey[];
  /** Makes it, all or nothing. Returns problems that were not there before. */
  readonly make: () => readonly IssueView[];
}

/** Whether nothing would be left to do, as of now. */
function isThere(parts: ApplyParts, apps: ReadonlySet<string>, sinceBootMs: number): boolean {
  const judging = { now: parts.clock.now(), sinceBootMs, settleMs: 0, ended: () => null };
  return readiness({ ...parts.viewInput(), judging }, apps).state === 'ready';
}

/** Makes a change unless there are issues, yields its plan, and waits for the result if requested. */
export async function* takeOver(
  parts: ApplyParts,
  { preview, issues, apps, notes = [], refreshed, uncached = [], make }: Change,
  options: { readonly dryRun: boolean; readonly waitMs: number | null; readonly settleMs?: number | null | undefined },
  signal?: AbortSignal,
): AsyncGenerator<ApplyEvent> {
  const { sources } = parts;
  if (issues.length > 0) {
    yield { type: 'rejected', issues };
    return;
  }
  const { planner } = parts;
  const plan = options.dryRun ? planner.everything(preview, refreshed) : planner.ofApps(preview, apps, refreshed);
  const view = planView(planOfApps(plan, apps), {
    notes: [...limitNotes(preview.state.resources, parts.limits), ...seccompNotes(preview.state.resources)].filter(
      ({ key }) => apps.has(appOf(key)),
    ),
    fileNotes: [...notes, ...liveNotes(preview.state, apps)],
  });
  if (options.dryRun) {
    yield { type: 'accepted', generation: sources.generation, plan: view };
    return;
  }
  const sinceBootMs = parts.clock.now().bootMs;
  const feed = new OpFeed(parts.events, apps);
  const ends = new Ends(parts, (key) => apps.has(appOf(key)));
  try {
    if (notes.length > 0) yield { type: 'notes', notes };
    const rejected = make();
    if (rejected.length > 0) {
      yield { type: 'rejected', issues: rejected };
      return;
    }
    parts.resources.requestRefresh(refreshed, uncached);
    parts.loop.enqueue(refreshed);
    yield { type: 'accepted', generation: sources.generation, plan: view };
    const ended = parts.loop.ended();
    const isLeft = () => view.ops.length > 0 || !isThere(parts, apps, sinceBootMs);
    if (ended !== null && isLeft()) {
      yield { type: options.waitMs === null ? 'postponed' : 'failed', error: postponed(ended).toJSON() };
    } else if (options.waitMs !== null) {
      const { waitMs, settleMs = null } = options;
      const how = { generation: sources.generation, waitMs, settleMs, sinceBootMs };
      yield* waitUntilReady(parts, apps, { feed, ends }, how, signal);
    }
  } finally {
    feed.close();
    ends.close();
  }
}

/** Applied as well, a watched file would be in conflict with itself. */
function refusal(file: string): TsdError {
  return new TsdError('TSD_OWNED_BY_MANIFEST', `${file} is in the watched directory`, {
    hint:
      'Edits of it are taken over by themselves; `tsdocker get manifests` shows its state, and `apply --refresh` of ' +
      'such files alone resolves their images again.',
  });
}

/**
 * Resolves the images of files of the watched directory again.
 * @throws TsdError TSD_OWNED_BY_MANIFEST for a file of which nothing is
 */
function refreshWatched(sources: Sources, inputs: readonly ManifestInput[], how: RefreshOptions): Change {
  const inForce = sources.preview([]);
  for (const input of inputs) if (sources.inputApps([input], inForce).size === 0) throw refusal(input.file);
  const apps = sources.inputApps(inputs, inForce);
  return {
    preview: { state: sources.state },
    issues: [],
    apps,
    ...refreshedImages(sources.state, apps, how),
    make: () => [],
  };
}

function imagesOf({ resources }: DesiredState, apps: ReadonlySet<string>): ResourceKey[] {
  return [...resources.values()].filter(({ kind, app }) => kind === 'image' && apps.has(app)).map(({ key }) => key);
}

/** How images are to be resolved again: all, or builds without what earlier ones made. */
interface RefreshOptions {
  readonly refresh: boolean;
  readonly noCache: boolean;
}

function refreshedImages(state: DesiredState, apps: ReadonlySet<string>, { refresh, noCache }: RefreshOptions) {
  const images = imagesOf(state, apps);
  const isBuild = (key: ResourceKey): boolean => {
    const desired = state.resources.get(key) as Desired<'image'> | undefined;
    return desired?.spec.source.type === 'build';
  };
  const uncached = noCache ? images.filter(isBuild) : [];
  return { refreshed: refresh ? images : uncached, uncached };
}

/** @throws TsdError for a file of the watched directory, unless only a refresh of their images is asked for */
export async function* apply(
  parts: ApplyParts,
  inputs: readonly ManifestInput[],
  { refresh = false, noCache = false, askedBy, ...options }: ApplyOptions,
  signal?: AbortSignal,
): AsyncGenerator<ApplyEvent> {
  const { sources } = parts;
  const watched = inputs.filter(({ file }) => sources.isWatched(file));
  const [first] = watched;
  if (first && (refresh || noCache) && watched.length === inputs.length) {
    yield* takeOver(parts, refreshWatched(sources, inputs, { refresh, noCache }), options, signal);
    return;
  }
  if (first) throw refusal(first.file);
  await sources.look(inputs);
  const preview = sources.preview(inputs);
  const apps = sources.inputApps(inputs, preview);
  const change: Change = {
    preview,
    issues: sources.inputIssues(inputs, preview),
    apps,
    ...refreshedImages(preview.state, apps, { refresh, noCache }),
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
  await sources.rollbacks.look(generation, hold);
  const preview = sources.rollbacks.preview(generation, hold);
  const change: Change = {
    preview,
    issues: sources.newIssues(preview),
    notes: sources.rollbacks.notes(generation, preview),
    apps: new Set(diffStates(sources.state, preview.state).map(({ resource }) => appOf(resource))),
    refreshed: [],
    make: () => sources.rollbacks.make(generation, hold, asker(askedBy)),
  };
  yield* takeOver(parts, change, options, signal);
}
