/** `kill` and `wait`: a signal to a run, and its end. */
import { constants } from 'node:os';
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { readSignal } from '../../model/signals.ts';
import type { ExitRecorder } from '../../reconcile/exits.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { Timeline } from '../timeline.ts';
import { type ContainerChanges, keyOf } from './container-changes.ts';

export interface KillPorts {
  readonly exec: Pick<ExecDriver, 'running' | 'kill' | 'signal'>;
  readonly timeline: Pick<Timeline, 'override'>;
}

export interface WaitForEndPorts {
  readonly changes: Pick<ContainerChanges, 'until'>;
  readonly exits: Pick<ExitRecorder, 'ended'>;
  readonly containers: Pick<ContainerStore, 'get'>;
}

function requestedSignal(text: string): number {
  const number = readSignal(text);
  if (number !== null) return number;
  throw new TsdError('TSD_BAD_REQUEST', `${text} is no signal`, { hint: 'For example TERM, HUP or 9.' });
}

/** Sends a signal. The restart policy answers a death by it. */
export async function killContainer(
  { exec, timeline }: KillPorts,
  record: ContainerRecord,
  signal: string,
): Promise<void> {
  const number = requestedSignal(signal);
  if (!exec.running(record.id)) {
    throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${record.engineName} is not running`);
  }
  timeline.override(keyOf(record), 'kill', `sent signal ${signal}`, record);
  if (number === constants.signals.SIGKILL) await exec.kill(record.id);
  else await exec.signal(record.id, number);
}

/** Returns the exit code of the present run when it has ended; 255 for one that is not known. */
export async function waitForEnd(
  { changes, exits, containers }: WaitForEndPorts,
  record: ContainerRecord,
  signal?: AbortSignal,
): Promise<number> {
  // A run has a number before it has begun.
  const hasStarted = (current: ContainerRecord | undefined) => !current || current.state.startedAt !== null;
  if (!hasStarted(record)) await changes.until(keyOf(record), Number.POSITIVE_INFINITY, hasStarted, signal);
  await exits.ended(record.id, signal);
  const { exitCode } = containers.get(record.id)?.state ?? { exitCode: null };
  // As shells report a lost process.
  return exitCode ?? 255;
}
