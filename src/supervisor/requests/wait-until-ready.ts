/** Streams what is done for some apps until they are as declared, one of them cannot become so, or the time is over. */
import type { ApplyEvent } from '../../api/requests.ts';
import type { Clock } from '../../model/clock.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { SupervisorEventBus } from '../events.ts';
import { lastWords } from '../logs/last-words.ts';
import type { LoopStatus } from '../loop-status.ts';
import { postponed, whereToLook } from '../views/hints.ts';
import type { LoopState, ViewInput } from '../views/view-input.ts';
import type { Ends } from './ends.ts';
import { type Readiness, readiness } from './readiness.ts';

export interface WaitParts {
  readonly clock: Clock;
  readonly containers: Pick<ContainerStore, 'byKey' | 'logPath'>;
  readonly events: SupervisorEventBus;
  readonly loop: LoopState & Pick<LoopStatus, 'isWorkingOn'>;
  viewInput(): ViewInput;
  /** What a container wrote before its update was taken back. */
  readonly wordsOfFailedUpdate: (key: ResourceKey) => readonly string[];
}

export interface WaitOptions {
  readonly generation: number;
  readonly waitMs: number;
  /** Null for what the manifests say. */
  readonly settleMs: number | null;
  /** Boot clock, before anything was changed. */
  readonly sinceBootMs: number;
}

/** A waiting client looks again after this long even when nothing seems to change. */
const RECHECK_MS = 1_000;
/** Minimum time between two looks while ops run. */
const LOOK_INTERVAL_MS = 10;
/** And looks at many containers take one part in so many of the time: the ops need it more. */
const LOOK_SHARE = 10;

const appOf = (key: string): string => key.split('/')[1] ?? '';

/** Op events of some apps, gathered for a stream that is read slower than they come. */
export class OpFeed {
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

/** What a person types next about what keeps a resource from being ready. */
function nextStep({ loop }: WaitParts, key: ResourceKey): string {
  return loop.hold(key)?.hint ?? whereToLook(key);
}

/** What a container wrote last, where its end is the failure; of one that ended before anyone waited too. */
function wordsOf(
  { containers, wordsOfFailedUpdate }: WaitParts,
  { resource, ended, updateFailed }: Extract<Readiness, { state: 'failed' }>,
): readonly string[] {
  if (updateFailed) return wordsOfFailedUpdate(resource);
  if (!ended) return [];
  const record = containers.byKey(resource);
  return ended.log.length > 0 || !record ? ended.log : lastWords(containers, record);
}

function failure(parts: WaitParts, failed: Extract<Readiness, { state: 'failed' }>): TsdError {
  const { resource: key, message, ended } = failed;
  return new TsdError(ended ? 'TSD_CONTAINER_ENDED' : 'TSD_CONTAINER_SETUP', `${key}: ${message}`, {
    key,
    hint: failed.hint ?? nextStep(parts, key),
    log: wordsOf(parts, failed),
  });
}

/** Returns the error of a timeout. The work itself continues. */
function late(
  parts: WaitParts,
  { resource, message }: Extract<Readiness, { state: 'waiting' }>,
  waitMs: number,
): TsdError {
  const { desired, observed } = parts.viewInput();
  const { app, name } = parseKey(resource);
  const isDeclared = desired.resources.has(resource);
  const hints = isDeclared ? [nextStep(parts, resource)] : ['The work continues; `tsdocker get` shows what is left.'];
  if (observed.updates?.has(resource))
    hints.unshift(`Its update continues; \`tsdocker why ${app}/${name}\` tells how it ends.`);
  const aim = isDeclared ? 'ready' : 'gone';
  return new TsdError('TSD_TIMEOUT', `not ${aim} after ${waitMs / 1000} s: ${resource}: ${message}`, {
    key: resource,
    hint: hints.join(' '),
  });
}

function success(
  generation: number,
  { running, completed, stopped }: Extract<Readiness, { state: 'ready' }>,
): ApplyEvent {
  const atRest = [
    ...completed.map((one) => ({ ...one, state: 'completed' as const })),
    ...stopped.map((one) => ({ ...one, state: 'stopped' as const })),
  ];
  return { type: 'ready', generation, running, atRest };
}

/** @param ends of the containers of these apps, since `sinceBootMs` */
export async function* waitUntilReady(
  parts: WaitParts,
  apps: ReadonlySet<string>,
  { feed, ends }: { readonly feed: OpFeed; readonly ends: Ends },
  { generation, waitMs, settleMs, sinceBootMs }: WaitOptions,
  signal?: AbortSignal,
): AsyncGenerator<ApplyEvent> {
  const { clock } = parts;
  const deadline = clock.now().bootMs + waitMs;
  let last = '';
  while (!signal?.aborted) {
    yield* feed.take();
    const now = clock.now();
    const judging = { now, sinceBootMs, settleMs, ended: ends.of.bind(ends) };
    const state = readiness({ ...parts.viewInput(), judging }, apps);
    const tookMs = clock.now().bootMs - now.bootMs;
    if (state.state === 'ready') {
      yield success(generation, state);
      return;
    }
    const left = deadline - clock.now().bootMs;
    const ended = parts.loop.ended();
    const error =
      ended !== null
        ? postponed(ended)
        : state.state === 'failed'
          ? failure(parts, state)
          : left <= 0
            ? late(parts, state, waitMs)
            : null;
    if (error !== null || state.state === 'failed') {
      if (error !== null) yield { type: 'failed', error: error.toJSON() };
      return;
    }
    const line = `${state.resource}: ${state.message}`;
    if (line !== last) yield { type: 'waiting', resource: state.resource, message: state.message };
    last = line;
    const settled = (state.untilBootMs ?? Number.POSITIVE_INFINITY) - clock.now().bootMs;
    await parts.events.nextChange(Math.max(0, Math.min(left, RECHECK_MS, settled)), signal);
    await whileWorking(parts, apps, now.bootMs + Math.max(LOOK_INTERVAL_MS, tookMs * LOOK_SHARE), signal);
  }
}

/** Many ops end in a burst, and one look answers for all of them; after the last one no caller waits. */
async function whileWorking(
  { clock, loop, events }: WaitParts,
  apps: ReadonlySet<string>,
  untilBootMs: number,
  signal?: AbortSignal,
): Promise<void> {
  while (!signal?.aborted && loop.isWorkingOn(apps)) {
    const left = untilBootMs - clock.now().bootMs;
    if (left <= 0) return;
    await events.nextChange(left, signal);
  }
}
