/** What a container does, in Docker's form. Pure. */

import type { HealthRecord, ObservedHealth, ProbeResult, ProbeState } from '../../model/health.ts';
import { largest } from '../../model/lists.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import { HOLD_TRAITS, type HoldReason } from '../../model/status/holds.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { ZERO_TIME } from '../../state/files/go-time.ts';
import { humanDuration } from './durations.ts';
import { type StartFailure, startFailure } from './start-failure.ts';

export const STATUSES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'] as const;
export type DockerStatus = (typeof STATUSES)[number];

interface DockerHealth {
  readonly Status: 'starting' | 'healthy' | 'unhealthy';
  readonly FailingStreak: number;
  readonly Log: readonly { Start: string; End: string; ExitCode: number; Output: string }[];
}

export interface DockerState {
  readonly Status: DockerStatus;
  readonly Running: boolean;
  readonly Paused: boolean;
  readonly Restarting: boolean;
  readonly OOMKilled: boolean;
  readonly Dead: boolean;
  readonly Pid: number;
  readonly ExitCode: number;
  readonly Error: string;
  readonly StartedAt: string;
  readonly FinishedAt: string;
  readonly Health?: DockerHealth;
}

/** What is known of a container at this moment. */
export interface SeenContainer {
  readonly record: ContainerRecord;
  readonly observed: ObservedContainer;
  /** Why the loop leaves it as it is. */
  readonly held: HoldReason | undefined;
  /** The op on it that is being carried out. */
  readonly op: string | undefined;
  /** Why the start failed that a client asked for last; null where it did not. */
  readonly failedStart: StartFailure | null;
  /** Of its probes; undefined where none has answered. */
  readonly health: HealthRecord | undefined;
}

function failureOf({ record, failedStart }: SeenContainer): StartFailure | null {
  const { startError } = record.state;
  return startError === null ? failedStart : startFailure(record, startError.message);
}

function statusOf({ record, observed, held, op }: SeenContainer): DockerStatus {
  if (op === 'container.remove') return 'removing';
  if (observed.running) return observed.paused ? 'paused' : 'running';
  const waits = held !== undefined && HOLD_TRAITS[held].phase === 'BackingOff';
  // Its count has the next run already: who waits for the last one would take this for its end.
  const begins = op === 'container.start' && record.restart.restarts > 0;
  if ((waits || begins) && record.state.startedAt !== null) return 'restarting';
  return record.state.startedAt === null ? 'created' : 'exited';
}

const iso = (ms: number): string => new Date(ms).toISOString();

function logEntry({ atWallMs, ok, ms, output }: ProbeResult): DockerHealth['Log'][number] {
  return { Start: iso(atWallMs), End: iso(atWallMs + ms), ExitCode: ok ? 0 : 1, Output: output };
}

/** One that was not ready in this run yet is unhealthy as soon as it failed as often as it may. */
function healthStatus({ state }: ObservedHealth, standings: readonly ProbeState[]): DockerHealth['Status'] {
  const failed = state === 'starting' && standings.some(({ verdict }) => verdict === 'failing');
  return state === 'unready' || failed ? 'unhealthy' : state;
}

/** Null without probes, and before the first start. */
function healthOf({ record, observed, health: book }: SeenContainer): DockerHealth | null {
  const { health } = observed;
  if (!health || record.state.startedAt === null) return null;
  const standings = Object.values(book?.run === record.run ? book.standings : {});
  return {
    Status: healthStatus(health, standings),
    FailingStreak: largest(
      standings.map(({ failures }) => failures),
      0,
    ),
    Log: health.results.map(logEntry),
  };
}

export function stateOf(seen: SeenContainer): DockerState {
  const { record, observed } = seen;
  const Status = statusOf(seen);
  const isUp = observed.running;
  const Health = healthOf(seen);
  const failure = isUp ? null : failureOf(seen);
  return {
    Status,
    Running: isUp || Status === 'restarting',
    Paused: Status === 'paused',
    Restarting: Status === 'restarting',
    OOMKilled: record.state.oomKilled,
    Dead: false,
    Pid: observed.pid ?? 0,
    ExitCode: isUp ? 0 : (failure?.exitCode ?? record.state.exitCode ?? 0),
    Error: failure?.message ?? '',
    StartedAt: record.state.startedAt ?? ZERO_TIME,
    FinishedAt: record.state.finishedAt ?? ZERO_TIME,
    ...(Health !== null && { Health }),
  };
}

/** The column STATUS of `docker ps`. @param nowMs Unix time */
export function statusText(state: DockerState, nowMs: number): string {
  const since = (time: string): string => humanDuration(nowMs - Date.parse(time));
  switch (state.Status) {
    case 'removing':
      return 'Removal In Progress';
    case 'created':
      return 'Created';
    case 'dead':
      return 'Dead';
    case 'paused':
      return `Up ${since(state.StartedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
    case 'exited':
      return state.FinishedAt === ZERO_TIME ? '' : `Exited (${state.ExitCode}) ${since(state.FinishedAt)} ago`;
    default: {
      const health = state.Health?.Status;
      const suffix = health === undefined ? '' : ` (${health === 'starting' ? 'health: starting' : health})`;
      return `Up ${since(state.StartedAt)}${suffix}`;
    }
  }
}
