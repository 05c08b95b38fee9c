/** Judges the run of a container: ready, completed, failed, or to be judged later. Pure. */
import type { Instant } from '../../model/clock.ts';
import { OWN_FAILURES } from '../../model/errors/error-class.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { SETTLE_MS } from '../../model/kinds/update-forms.ts';
import type { ObservedContainer, ObservedExit } from '../../model/observed.ts';
import { isOneShot, isReady } from './readiness.ts';
import { describeExit, mayRestart } from './restart.ts';

/** A run that ended by itself, with its last output lines. */
export interface EndedRun extends Pick<ObservedExit, 'code' | 'oomKilled' | 'ranForMs'> {
  readonly log: readonly string[];
  /** Message of the probes when the run was stopped as unhealthy; else null. */
  readonly unhealthy: string | null;
}

export interface RunInput {
  readonly container: ObservedContainer;
  readonly spec: ContainerSpec;
  /** True when dependents wait for its completion. */
  readonly awaited: boolean;
  readonly settleMs: number;
  /** Boot clock: ends before this time do not count for a restarted container. */
  readonly sinceBootMs: number;
  /** The last end since then, even when another run has started; null for none, or when no end can be missed. */
  readonly ended: EndedRun | null;
  readonly now: Instant;
}

export type RunVerdict =
  | { readonly is: 'ready'; readonly message: string }
  /** It ended with 0, as intended. */
  | { readonly is: 'completed'; readonly message: string }
  | {
      readonly is: 'failed';
      readonly message: string;
      readonly exitCode: number | null;
      readonly log: readonly string[];
    }
  /** It cannot start as declared: another try would fail the same way. */
  | { readonly is: 'unstartable'; readonly message: string }
  /** Time of the next look on the boot clock; null waits for an event. */
  | { readonly is: 'waiting'; readonly message: string; readonly untilBootMs: number | null };

/** Returns the settle time of a container for this command. @param asked option of the command; null: as in the manifest */
export function settleOf({ update }: Pick<ContainerSpec, 'update'>, asked: number | null = null): number {
  return asked ?? update.settleMs ?? SETTLE_MS;
}

export const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function waiting(message: string, untilBootMs: number | null = null): RunVerdict {
  return { is: 'waiting', message, untilBootMs };
}

function failed(end: Pick<EndedRun, 'code' | 'oomKilled' | 'ranForMs'>, log: readonly string[]): RunVerdict {
  return { is: 'failed', message: `${describeExit(end)} after ${seconds(end.ranForMs)}`, exitCode: end.code, log };
}

/** Reports whether an end with 0 is a completion: of a one-shot, or of a container whose end is awaited. */
function isMeant(code: number | null, { spec, awaited }: RunInput): boolean {
  return code === 0 && (awaited || isOneShot(spec));
}

function judgeEnd(input: RunInput): RunVerdict {
  const { container, spec, sinceBootMs } = input;
  const { exit, startError, restartRequested, restarts, run } = container;
  if (startError !== null) {
    const { message } = startError;
    return OWN_FAILURES.has(startError.class) ? { is: 'unstartable', message } : waiting(message);
  }
  if (exit === null || run === 0 || restartRequested) return waiting('it is not started yet');
  if (isMeant(exit.code, input)) return { is: 'completed', message: describeExit(exit) };
  const isOld = exit.code === null || exit.finishedAtBootMs === null || exit.finishedAtBootMs < sinceBootMs;
  if (isOld && mayRestart(spec.restart, exit.code !== 0, restarts)) return waiting(describeExit(exit));
  return failed(exit, []);
}

function judgeRunning({ container, spec, awaited, settleMs, sinceBootMs, now }: RunInput): RunVerdict {
  const { unknown, unrecorded, paused, health, startedAtBootMs } = container;
  if (unknown != null) return waiting(unknown);
  if (unrecorded != null) return waiting(unrecorded);
  if (paused) return waiting('it is paused');
  if (awaited) return waiting('it runs, and others wait for its end');
  if (!isReady(container, spec)) return waiting(health?.message ?? '');
  if (health) return { is: 'ready', message: 'its probe passes' };
  // A start without a known time was seen before the command.
  const readyAt = (startedAtBootMs ?? sinceBootMs) + settleMs;
  if (now.bootMs < readyAt) return waiting(`it runs, and is ready when it has for ${seconds(settleMs)}`, readyAt);
  return { is: 'ready', message: `it has been running for ${seconds(settleMs)}` };
}

/**
 * One uninterrupted run of the settle time, or a passing probe, proves that a container works. An end proves that it does
 * not, except an end with 0 that its policy or a dependent asks for.
 */
export function judgeRun(input: RunInput): RunVerdict {
  const { container, awaited, ended } = input;
  if (ended && !isMeant(ended.code, input)) {
    const { unhealthy, log, code } = ended;
    return unhealthy === null
      ? failed(ended, log)
      : { is: 'failed', message: `unhealthy: ${unhealthy}`, exitCode: code, log };
  }
  if (ended && awaited) return { is: 'completed', message: describeExit(ended) };
  return container.running || container.unknown != null ? judgeRunning(input) : judgeEnd(input);
}
