/** Answers about the past: history, events, why. */
import { setTimeout as delay } from 'node:timers/promises';
import type { EventOptions, EventView, HistoryView, WhyView } from '../../api/views/explain-views.ts';
import type { DiffView } from '../../api/views/plan-views.ts';
import type { DescribeView } from '../../api/views/resource-views.ts';
import { formatTime } from '../../model/clock.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { HOLD_TRAITS } from '../../model/status/holds.ts';
import type { TimelineEntry } from '../../model/status/timeline.ts';
import { baseKey, nextKey, oldKey } from '../../model/update.ts';
import { dependenciesOf, isContainer } from '../../reconcile/plan/references.ts';
import type { History } from '../../state/history/history.ts';
import type { SupervisorEventBus } from '../events.ts';
import type { Sources } from '../sources/sources.ts';
import { nameAdvice } from './name-advice.ts';
import { namesAmiss } from './name-conditions.ts';
import { diffStates } from './plan-views.ts';
import { unknownHost } from './unknown-host.ts';
import type { LoopState } from './view-input.ts';
import { whyChain } from './why.ts';

export interface ExplainParts {
  readonly history: History;
  readonly sources: Sources;
  readonly loop: LoopState;
  readonly events: SupervisorEventBus;
  /** Has an address just now. */
  readonly isUp: (key: ResourceKey) => boolean;
  readonly nowMs: number;
}

/** Entries of one resource that an answer to `why` is made of. */
const WHY_ENTRIES = 300;
const PAGE = 500;
/** A follower looks again after this long even when nothing seems to change. */
const RECHECK_MS = 1_000;

/** Newest first. */
export function historyViews(history: History, limit: number): readonly HistoryView[] {
  const kept = new Set(history.contents.kept());
  return history.generations.list(limit).map(({ n, createdAtMs, cause, pins, changes }, index) => ({
    generation: n,
    at: formatTime(createdAtMs),
    cause,
    by: changes.by ?? null,
    current: index === 0,
    keeps: kept.has(n) ? 'contents' : 'specification',
    files: changes.files,
    resources: changes.resources.map(({ key, change }) => ({ resource: key, change })),
    held: Object.entries(pins.apps).map(([app, { generation, reason }]) => ({ app, generation, reason })),
  }));
}

/**
 * Field by field, what a generation changed beside the one before it that is kept.
 * @throws TsdError TSD_NO_SUCH_RESOURCE when it is not kept
 */
export function historyDiff(sources: Sources, n: number): readonly DiffView[] {
  const state = sources.stateOf(n);
  if (!state) {
    throw new TsdError('TSD_NO_SUCH_RESOURCE', `there is no generation ${n}`, {
      hint: '`tsdocker history` lists those that are kept.',
    });
  }
  return diffStates(sources.stateOf(n - 1) ?? { generation: 0, resources: new Map() }, state);
}

function eventView({ key, atMs, ...entry }: TimelineEntry): EventView {
  const { id, kind, ...rest } = entry;
  return { id, time: formatTime(atMs), kind, resource: key, ...rest };
}

/** What happened and, with `follow`, what happens, until the signal aborts. */
export async function* eventViews(
  { history, events }: Pick<ExplainParts, 'history' | 'events'>,
  { follow, sinceMs }: EventOptions,
  signal?: AbortSignal,
): AsyncGenerator<EventView> {
  const { timeline } = history;
  let last = follow && sinceMs === null ? timeline.lastId() : 0;
  while (!signal?.aborted) {
    const page = timeline.after(last, sinceMs ?? 0, PAGE);
    for (const entry of page) {
      yield eventView(entry);
      last = entry.id;
    }
    if (page.length === PAGE) continue;
    if (!follow) return;
    await events.nextChange(RECHECK_MS, signal);
  }
}

/** Least time between two looks for one watcher. */
const WATCH_INTERVAL_MS = 100;

/** A list now, and again whenever it is another one, until the signal aborts. */
export async function* watchList<T>(
  list: () => readonly T[],
  events: SupervisorEventBus,
  signal?: AbortSignal,
): AsyncGenerator<readonly T[]> {
  let shown: string | null = null;
  while (!signal?.aborted) {
    const rows = list();
    const text = JSON.stringify(rows);
    if (text !== shown) yield rows;
    shown = text;
    await events.nextChange(RECHECK_MS, signal);
    // Many things change in a burst; one look answers for all of them.
    await delay(WATCH_INTERVAL_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** A sentence about the present, and what to do about it. */
interface Advice {
  readonly line: string;
  readonly hint: string;
}

/** Returns the state of the app's manifests where it explains the state of its resources. */
function adviceOfApp(sources: Sources, app: string): Advice[] {
  const advice = sources.views().flatMap(({ app: of, file, issues: [issue], held, state, hint }): Advice[] => {
    if (of !== app) return [];
    if (held !== null) return [{ line: `${file} is held: ${held}`, hint }];
    if (state !== 'Rejected' || !issue) return [];
    const place = `${issue.file}:${issue.line}:${issue.column}`;
    return [{ line: `the edit of ${place} is not taken over: ${issue.message}`, hint }];
  });
  return [...new Map(advice.map((one) => [one.line, one])).values()];
}

/** Returns the dependencies that wait themselves, without those that completed. */
function needs({ history, sources, loop }: ExplainParts, key: ResourceKey): Advice[] {
  const desired = sources.state.resources.get(key);
  if (!desired || !isContainer(desired)) return [];
  return [...new Set(dependenciesOf(desired))].flatMap((need) => {
    const hold = loop.hold(need);
    if (!hold || (HOLD_TRAITS[hold.reason].rest === 'done' && endedWell(history, need))) return [];
    const { message, hint = `\`tsdocker why ${need}\`` } = hold;
    return [{ line: `needs ${need}, which waits: ${message}`, hint }];
  });
}

/** Returns the timeline of a resource, oldest first; for a container with its successors and predecessors. */
function pastOf({ timeline }: History, key: ResourceKey): readonly TimelineEntry[] {
  const base = baseKey(key);
  const keys = parseKey(base).kind === 'container' ? [base, nextKey(base), oldKey(base)] : [base];
  return keys.flatMap((one) => timeline.ofKey(one, WHY_ENTRIES)).sort((a, b) => a.id - b.id);
}

const endedWell = (history: History, key: ResourceKey): boolean =>
  pastOf(history, key).findLast(({ kind }) => kind === 'exit')?.ok === true;

/** What a container wrote before its last failed update was given up; it may be another one by now. */
export function wordsOfFailedUpdate({ timeline }: History, key: ResourceKey): readonly string[] {
  const entries = timeline.ofKey(key, WHY_ENTRIES);
  return entries.find(({ what }) => what === 'container.fail-update')?.log ?? [];
}

/** Returns a note when the name is that of a successor or predecessor of an update that is over. */
function gone(asked: string, key: ResourceKey, view: DescribeView['view']): string[] {
  const was = /\.(next|old)$/.exec(asked)?.[1];
  if (was === undefined || baseKey(key) !== key || ('engineName' in view && view.engineName === asked)) return [];
  const role = was === 'next' ? 'the successor' : 'the predecessor';
  return [`there is no ${asked} now: ${role} of ${key} is called so during an update`];
}

/** A run that lasts so long has got over what ended the one before. */
const RECOVERED_MS = 60_000;

/** A name that its last run ended for. */
function unknownName(
  { sources, isUp, nowMs }: ExplainParts,
  key: ResourceKey,
  view: DescribeView['view'],
  entries: readonly TimelineEntry[],
): Advice[] {
  const asker = sources.state.resources.get(key);
  const last = entries.findLast(({ kind }) => kind === 'exit');
  if (!asker || !isContainer(asker) || !last || !('startedAt' in view)) return [];
  const { phase, startedAt } = view;
  if (phase === 'Running' && startedAt !== null && nowMs - Date.parse(startedAt) > RECOVERED_MS) return [];
  const name = last.ok ? null : unknownHost(last.log);
  return name === null ? [] : [nameAdvice({ name, asker, resources: sources.state.resources, isUp })];
}

/**
 * Why a resource is as it is.
 * @param view as `describe` has it
 * @param asked the name that a person typed
 */
export function why(parts: ExplainParts, key: ResourceKey, view: DescribeView['view'], asked: string): WhyView {
  const { history, sources, loop } = parts;
  const entries = pastOf(history, key);
  const hold = loop.hold(key);
  const op = loop.inFlight(key);
  const unknown = unknownName(parts, key, view, entries);
  const others = [...unknown, ...needs(parts, key), ...adviceOfApp(sources, parseKey(key).app)];
  return {
    resource: key,
    phase: view.phase,
    message: view.message,
    source: view.source,
    steps: whyChain(entries),
    now: [
      ...gone(asked, key, view),
      ...(op ? [`${op.op} is being carried out: ${op.cause.message}`] : []),
      ...(hold ? [`${hold.reason}: ${hold.message}`] : []),
      ...others.map(({ line }) => line),
      ...namesAmiss('conditions' in view ? view.conditions : []),
      ...('conditions' in view ? view.conditions : [])
        .filter(({ type }) => type === 'SharedGroups' || type === 'Unfiltered')
        .map(({ message }) => message),
    ],
    hint: unknown[0]?.hint ?? (view.hint || (others.find((other) => other.hint !== '')?.hint ?? '')),
  };
}
