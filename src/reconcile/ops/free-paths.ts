import { TsdError } from '../../model/errors/errors.ts';
import type { PathBook } from '../path-book.ts';

/** Whether files of the host can be used, on filesystems that may not answer. */
export interface HostPaths {
  readonly paths: Pick<PathBook, 'settle' | 'trouble' | 'isFree'>;
}

/**
 * Resolves when these files of the host can be used at once: the supervisor itself opens them now, and would be kept by a
 * filesystem that does not answer.
 * @param others that are asked about along, and are read by who can say for himself that they do not answer
 * @throws TsdError TSD_BIND_SOURCE naming the one that cannot, after a second at the latest.
 */
export async function requireFree(
  { paths }: HostPaths,
  files: readonly string[],
  others: readonly string[] = [],
): Promise<void> {
  await paths.settle([...files, ...others]);
  for (const path of files) {
    const trouble = paths.trouble(path);
    if (!trouble) continue;
    // A filesystem that does not answer is no fault of the container.
    const unanswered = paths.isFree(path) ? {} : { class: 'unavailable' as const };
    throw new TsdError('TSD_BIND_SOURCE', `bind source ${path} ${trouble}`, { step: `look at ${path}`, ...unanswered });
  }
}
