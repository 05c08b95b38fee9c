/**
 * Marks in volumes/ of what is done to a volume in two steps, its entry and its data, so that a start after a kill between
 * them knows what the data without an entry is: never used, or approved to go. Data without a mark is left alone.
 */
import { lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { TsdError } from '../../model/errors/errors.ts';
import type { StateFiles } from '../files/durable.ts';
import { toStateError } from '../files/state-error.ts';
import { corrupt, errnoCode, type StateIssue } from '../files/state-file.ts';

const CREATING = 'creating-';
const REMOVED = 'removed-';

export function isMark(name: string): boolean {
  return name.startsWith(CREATING) || name.startsWith(REMOVED);
}

const creatingMark = (root: string, id: string): string => join(root, 'volumes', `${CREATING}${id}`);

/** Holds the entry of a volume while its data is removed. */
export const removedMark = (root: string, id: string): string => join(root, 'volumes', `${REMOVED}${id}`);

/** Call it before the data is put in place. */
export function markCreating(root: string, id: string): void {
  try {
    mkdirSync(creatingMark(root, id), { mode: 0o700 });
  } catch (error) {
    if (errnoCode(error) !== 'EEXIST') throw toStateError(error, `create volume ${id}`);
  }
}

/** Call it when the entry is in place, or nothing was put in place. A leftover mark does no harm. */
export function unmarkCreating(root: string, id: string): void {
  try {
    rmdirSync(creatingMark(root, id));
  } catch {
    // The next start removes it.
  }
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT') throw error;
  }
}

/** A remaining entry means that the volume is complete. rmdir(2) removes no directory with contents. */
function finishCreating(root: string, id: string): void {
  const isFinished = lstatSync(join(root, 'volumes', id), { throwIfNoEntry: false }) !== undefined;
  try {
    if (!isFinished) rmdirSync(join(root, 'vfs', 'dir', id));
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT') throw error;
  }
  rmdirSync(creatingMark(root, id));
}

function finishRemoving(root: string, id: string, files: StateFiles): void {
  moveIfThere(join(root, 'vfs', 'dir', id), files.temporaryPath(`removed-data-${id}`));
  moveIfThere(removedMark(root, id), files.temporaryPath(`removed-volume-${id}`));
}

/** Puts what a killed supervisor left of volumes among the unfinished things, which are deleted then. */
export function finishVolumes(root: string, files: StateFiles): StateIssue[] {
  return readdirSync(join(root, 'volumes')).flatMap((name): StateIssue[] => {
    try {
      if (name.startsWith(CREATING)) finishCreating(root, name.slice(CREATING.length));
      else if (name.startsWith(REMOVED)) finishRemoving(root, name.slice(REMOVED.length), files);
      return [];
    } catch (thrown) {
      const path = join(root, 'volumes', name);
      const error = toStateError(thrown, `finish ${path}`);
      return [{ path, error: error instanceof TsdError ? error : corrupt(path, String(error), error) }];
    }
  });
}
