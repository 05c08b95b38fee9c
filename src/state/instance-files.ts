/** The files of one instance, for who takes it away whole. */
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { removeTree } from '../ffi/files/remove-tree.ts';
import { TsdError } from '../model/errors/errors.ts';
import { toStateError } from './files/state-error.ts';
import { errnoCode } from './files/state-file.ts';
import type { StateRoot } from './root.ts';
import { VolumeStore } from './volumes/volumes.ts';

/** Where data of volumes is, and which volume each is. */
const OF_VOLUMES: readonly string[] = ['volumes', 'vfs'];
/** Held until everything else is gone. */
const LAST: readonly string[] = ['instance', 'lock'];
/** What we make in a run directory; the socket may be of a service manager. */
const OF_RUN_DIRECTORY: readonly string[] = ['shim', 'secrets', 'names', 'tmp', 'tsdocker.pid', 'lock'];

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return [];
    throw toStateError(error, `read ${directory}`);
  }
}

/** @throws TsdError TSD_FLAG for a directory that is no root of ours: it may hold anything. */
export function instanceAt(root: string): string {
  const file = join(root, 'instance');
  const text = existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  if (/^[0-9a-f]{6}$/.test(text)) return text;
  throw new TsdError('TSD_FLAG', `${root} is not the root of a supervisor: ${file} does not name its instance`, {
    step: '--root',
    hint: 'Name the directory that the supervisor was given with --root.',
  });
}

async function removeAt(path: string): Promise<void> {
  try {
    await removeTree(path);
  } catch (error) {
    throw toStateError(error, `remove ${path}`);
  }
}

export interface RemoveFilesOptions {
  /** Data of volumes as well. */
  readonly volumes: boolean;
  /** A directory of this instance elsewhere; null for none. */
  readonly elsewhere?: string | null;
}

/** What people lose or keep. */
export interface InstanceFiles {
  readonly instance: string;
  readonly containers: number;
  readonly images: number;
}

export function lookAtInstance(root: string): InstanceFiles {
  return {
    instance: instanceAt(root),
    containers: namesIn(join(root, 'containers')).length,
    images: namesIn(join(root, 'graph')).filter((name) => /^[0-9a-f]{64}$/.test(name)).length,
  };
}

/** Their declarations go: a later supervisor takes kept data for what it is, and not for a sign of a history.db that is lost. */
async function releaseVolumes({ root, files }: Pick<StateRoot, 'root' | 'files'>): Promise<void> {
  const volumes = new VolumeStore(root, files);
  const batch = files.batch();
  for (const volume of volumes.all()) {
    if (volume.owner.type === 'named' && !volume.released) volumes.update({ ...volume, released: true }, batch);
  }
  await batch.commit();
}

/**
 * Removes everything below root and run directory, the name of the instance last: while that is there it is not over, and
 * may be begun again. The caller holds the locks, and nothing runs.
 */
export async function removeInstanceFiles(
  { root, runDir, files }: Pick<StateRoot, 'root' | 'runDir' | 'files'>,
  { volumes, elsewhere }: RemoveFilesOptions,
): Promise<void> {
  if (elsewhere) await removeAt(elsewhere);
  const keeps = !volumes && namesIn(join(root, 'volumes')).length > 0;
  if (keeps) await releaseVolumes({ root, files });
  const stays = new Set([...LAST, ...(keeps ? OF_VOLUMES : [])]);
  for (const name of namesIn(root).filter((name) => !stays.has(name))) await removeAt(join(root, name));
  for (const name of OF_RUN_DIRECTORY) await removeAt(join(runDir, name));
  for (const name of LAST) await removeAt(join(root, name));
  for (const directory of [root, runDir]) removeIfEmpty(directory);
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    // A service manager's socket, kept volumes, or a mount point.
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY'].includes(errnoCode(error) ?? '')) {
      throw toStateError(error, `remove ${directory}`);
    }
  }
}
