/** What a container wrote last. */
import { toTsdError } from '../../model/errors/errors.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { logExcerpt } from './log-excerpt.ts';

/** Clocks of the shim and of the payload's first line may be read in either order. */
const START_SLACK_MS = 20;

/** What belongs to an account and cannot be read, as while the disk fails, is left out: what happened is shown all the same. */
export function readOr<T>(otherwise: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (toTsdError(error).code === 'TSD_BUG') throw error;
    return otherwise;
  }
}

/** The last lines of the present or latest run. */
export function lastWords(
  containers: Pick<ContainerStore, 'logPath'>,
  { id, state }: Pick<ContainerRecord, 'id' | 'state'>,
): readonly string[] {
  const since = state.startedAt === null ? 0 : Date.parse(state.startedAt) - START_SLACK_MS;
  return readOr([], () => logExcerpt(containers.logPath(id), since));
}
