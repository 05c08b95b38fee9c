/** The end of a container that a client waits for. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { DockerParts } from '../docker-parts.ts';
import { DockerError } from '../wire/docker-error.ts';

const CONDITIONS = ['not-running', 'next-exit', 'removed'] as const;
export type WaitCondition = (typeof CONDITIONS)[number];

/** As shells report a process that was lost. */
const UNKNOWN_EXIT = 255;
/** The end of a container is seen by its event; this is for one that has none. */
const RECHECK_MS = 1_000;

/** @throws DockerError 400 */
export function conditionOf(text: string): WaitCondition {
  if (text === '') return 'not-running';
  const found = CONDITIONS.find((condition) => condition === text);
  if (found === undefined) throw new DockerError(400, `invalid condition: ${JSON.stringify(text)}`);
  return found;
}

type WaitParts = Pick<DockerParts, 'containers' | 'exits' | 'events'>;

const exitCodeOf = ({ state }: ContainerRecord): number =>
  state.exitCode ?? (state.startedAt === null ? 0 : UNKNOWN_EXIT);

/** One that waits for its next run by policy counts as running. */
const isUp = ({ state }: ContainerRecord): boolean => ['running', 'paused', 'restarting'].includes(state.status);

/** Waits from now on: what ends after this call is not missed. Resolves with the exit code. */
export function waitFor(
  { containers, exits, events }: WaitParts,
  record: ContainerRecord,
  condition: WaitCondition,
  signal: AbortSignal,
): Promise<number> {
  const { id } = record;
  if (condition === 'not-running' && !isUp(record)) return Promise.resolve(exitCodeOf(record));
  let last = record;
  let hasEnded = false;
  const isOver = (): boolean => {
    const current = containers.get(id);
    last = current ?? last;
    if (current === undefined || signal.aborted) return true;
    if (condition === 'removed') return false;
    return hasEnded && (condition === 'next-exit' || !isUp(current));
  };
  return new Promise((resolve) => {
    const look = (): void => {
      if (!isOver()) return;
      clearInterval(timer);
      stop();
      events.off('change', look);
      signal.removeEventListener('abort', look);
      resolve(exitCodeOf(last));
    };
    const stop = exits.onExit((exit) => {
      if (exit.containerId !== id) return;
      hasEnded = true;
      look();
    });
    const timer = setInterval(look, RECHECK_MS);
    events.on('change', look);
    signal.addEventListener('abort', look, { once: true });
    look();
  });
}
