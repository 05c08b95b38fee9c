/** Waits until a started container has settled or has completed. */
import type { StartedView } from '../../api/requests.ts';
import type { Clock } from '../../model/clock.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { OpFailureCache } from '../../reconcile/op-failure-cache.ts';
import { judgeRun, settleOf } from '../../reconcile/plan/run-verdict.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { SupervisorEventBus } from '../events.ts';
import { lastWords } from '../logs/last-words.ts';
import { whereToLook } from '../views/hints.ts';
import type { LoopState } from '../views/view-input.ts';
import { requireWaiting } from './cancelled-wait.ts';
import type { Ends } from './ends.ts';
import { awaitedEnds } from './readiness.ts';

export interface ProofParts {
  desired(): DesiredState;
  readonly clock: Clock;
  readonly containers: Pick<ContainerStore, 'byKey' | 'logPath'>;
  readonly failures: Pick<OpFailureCache, 'get'>;
  /** What a container looks like now. */
  observed(record: ContainerRecord): ObservedContainer;
  readonly loop: LoopState;
  readonly events: SupervisorEventBus;
}

export interface Proof {
  readonly key: ResourceKey;
  readonly engineName: string;
  /** Null for what the manifest says. */
  readonly settleMs: number | null;
  /** Boot clock, before anything was asked. */
  readonly sinceBootMs: number;
  /** How long it may take since then. */
  readonly waitMs: number;
  readonly ends: Ends;
}

/** Nothing changes for so long only when the loop itself is stuck. */
const RECHECK_MS = 500;

/** What becomes of a start whose requester does not wait for it, as a hint. */
export const continues = (engineName: string): string =>
  `The start continues; \`tsdocker stop ${engineName}\` takes it back.`;

/** @throws TSD_CONTAINER_ENDED with what it wrote last, TSD_TIMEOUT, or that it was stopped or removed meanwhile */
export async function proveRun(parts: ProofParts, proof: Proof, signal?: AbortSignal): Promise<StartedView> {
  const { clock, events } = parts;
  const { key, engineName, sinceBootMs, waitMs } = proof;
  for (;;) {
    const look = lookAt(parts, proof);
    if (look.is === 'ready' || look.is === 'completed') return { state: look.is, message: look.message };
    const now = clock.now().bootMs;
    const left = sinceBootMs + waitMs - now;
    requireWaiting(signal, key, continues(engineName));
    if (left <= 0) {
      const message = `container ${engineName} is not ready after ${waitMs / 1000} s: ${look.message}`;
      throw new TsdError('TSD_TIMEOUT', message, { key, hint: whereToLook(key) });
    }
    const settled = (look.untilBootMs ?? Number.POSITIVE_INFINITY) - now;
    await events.nextChange(Math.max(0, Math.min(left, RECHECK_MS, settled)), signal);
  }
}

function lookAt(
  { desired: declared, clock, containers, failures, observed, loop }: ProofParts,
  { key, engineName, settleMs, sinceBootMs, ends }: Proof,
) {
  const now = clock.now();
  const record = containers.byKey(key);
  const state = declared();
  const desired = state.resources.get(key) as Desired<'container'> | undefined;
  const busy = loop.inFlight(key) ?? loop.hold(key);
  const waits = busy === undefined ? '' : 'cause' in busy ? busy.cause.message : busy.message;
  const waiting = (message: string, untilBootMs: number | null = null) =>
    ({ is: 'waiting', message: waits || message, untilBootMs }) as const;
  const stopped = (why: string) =>
    new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${engineName} ${why} meanwhile`, { key });
  if (!desired) throw stopped('was removed');
  if (!record || loop.inFlight(key)) return waiting('it is being made');
  const container = observed(record);
  if (container.stopOverride) throw stopped('was stopped');
  const verdict = judgeRun({
    container,
    spec: desired.spec,
    awaited: awaitedEnds(state).has(key),
    settleMs: settleOf(desired.spec, settleMs),
    sinceBootMs,
    ended: ends.of(key, container),
    now,
  });
  if (verdict.is === 'unstartable') {
    throw new TsdError('TSD_CONTAINER_SETUP', `container ${engineName} cannot be started: ${verdict.message}`, {
      key,
      hint: failures.get(key)?.hint ?? whereToLook(key),
    });
  }
  if (verdict.is === 'waiting') return waiting(verdict.message, verdict.untilBootMs);
  if (verdict.is !== 'failed') return verdict;
  throw new TsdError('TSD_CONTAINER_ENDED', `container ${engineName} ${verdict.message}`, {
    key,
    hint: whereToLook(key),
    log: verdict.log.length > 0 ? verdict.log : lastWords(containers, record),
  });
}
