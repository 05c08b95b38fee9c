import { chmodSync, lstatSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makePath } from '../../ffi/files/make-path.ts';
import { emptyDirectory } from '../../ffi/files/remove-tree.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { StateRoot } from '../root.ts';
import { toStateError } from './state-error.ts';
import { errnoCode } from './state-file.ts';

/** Where temporary files of pulls, loads and builds go. */
export interface TmpDir {
  /** Emptied at every start. */
  readonly work: string;
  /** Kept, so that a download continues where it ended. */
  readonly downloads: string;
  /** The directory outside the root that holds both; null when they are in the root. */
  readonly own: string | null;
}

function refused(path: string, reason: string, hint: string): TsdError {
  return new TsdError('TSD_FLAG', `${path} cannot hold temporary files: ${reason}`, { step: '--tmpdir', hint });
}

/** Files for the root are moved there, atomically and complete. */
function requireSameFilesystem(directory: string, given: string, root: string): void {
  const [from, to] = [join(directory, 'probe'), join(root, 'tmp', 'probe')];
  writeFileSync(from, '');
  try {
    renameSync(from, to);
    rmSync(to);
  } catch (error) {
    rmSync(from, { force: true });
    if (errnoCode(error) !== 'EXDEV') throw error;
    const reason = `it is on another filesystem than the root ${root}, and what is made there is moved into it by rename(2)`;
    throw refused(given, reason, 'Name a directory on the filesystem of the root, or move the root (--root) as well.');
  }
}

/** Others may write to the directory that was named, and must not choose where ours leads. */
function requireOwn(directory: string): void {
  const found = lstatSync(directory);
  if (found.isDirectory() && found.uid === process.geteuid?.()) return;
  throw refused(directory, 'it is there already and is not ours', 'Remove it, or name another directory.');
}

/**
 * @param given directory in which one for this instance is created; null for the root's own
 * @throws TsdError TSD_FLAG for one that does not do, TSD_DISK_FULL, TSD_SYSCALL.
 */
export function openTmpDir({ root, instanceId }: StateRoot, given: string | null): TmpDir {
  if (given === null) return { work: join(root, 'tmp'), downloads: join(root, 'downloads'), own: null };
  const directory = join(given, `tsdocker-${instanceId}`);
  const work = join(directory, 'work');
  try {
    makePath(directory, 0o700);
    requireOwn(directory);
    chmodSync(directory, 0o700);
    requireSameFilesystem(directory, given, root);
    makePath(work, 0o700);
    chmodSync(work, 0o700);
    const [failed] = emptyDirectory(work);
    if (failed !== undefined) throw failed.error;
  } catch (error) {
    throw toStateError(error, `use ${given} for temporary files`);
  }
  return { work, downloads: join(directory, 'downloads'), own: directory };
}
