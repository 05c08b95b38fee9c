/** Filling an empty volume with what the image has at its mount point. */
import { chmodSync, chownSync, closeSync, existsSync, renameSync, rmdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { copyTree, namesIn } from '../../../ffi/files/copy-tree.ts';
import { fileError, setTimes } from '../../../ffi/files/layer-files.ts';
import { removeTree } from '../../../ffi/files/remove-tree.ts';
import { inSlices } from '../../../ffi/slices.ts';
import type { MountSpec, TaskSpec } from '../../contract/exec.ts';
import type { RootMount } from '../../contract/graph.ts';
import { ContainerTree } from './container-tree.ts';
import { openRoot } from './program/rootfs.ts';

/** Copies that are under way, by volume: two containers may start on one volume. */
const underway = new Map<string, Promise<void>>();

/** The complete copy, beside the volume so that it can be renamed into it; there only until that is done. */
function stagePath(source: string): string {
  return join(dirname(source), `.${basename(source)}.fill`);
}

function needsFilling({ type, copyUp, source }: MountSpec): boolean {
  if (type !== 'bind' || !copyUp) return false;
  const stat = statSync(source, { throwIfNoEntry: false });
  if (!stat?.isDirectory()) return false;
  return existsSync(stagePath(source)) || isEmpty(source);
}

function isEmpty(directory: string): boolean {
  for (const _name of namesIn(Buffer.from(directory))) return false;
  return true;
}

/** Whole entries are renamed into the volume, so that after a crash the rest can still be moved. */
function* moveIntoVolume(stage: string, source: string): Generator<void> {
  // Names that are taken away while they are read may hide others: until there are none.
  for (let moved = -1; moved !== 0; ) {
    moved = 0;
    for (const name of namesIn(Buffer.from(stage))) {
      const entry = (directory: string): Buffer => Buffer.concat([Buffer.from(`${directory}/`), name]);
      renameSync(entry(stage), entry(source));
      moved += 1;
      yield;
    }
  }
  const { uid, gid, mode, mtimeMs } = statSync(stage);
  chownSync(source, uid, gid);
  chmodSync(source, mode & 0o7777);
  setTimes(source, Math.floor(mtimeMs / 1000), 0);
  rmdirSync(stage);
}

async function fill(root: RootMount, { source, target }: MountSpec): Promise<void> {
  const stage = stagePath(source);
  if (!existsSync(stage)) {
    const unfinished = `${stage}.tmp`;
    await removeTree(unfinished);
    if (!(await copyFromImage(root, target, unfinished))) return;
    renameSync(unfinished, stage);
  }
  await inSlices(moveIntoVolume(stage, source));
}

/** @returns false when the image has no directory at `target`. @throws TsdError when that could not be found out. */
async function copyFromImage(root: RootMount, target: string, to: string): Promise<boolean> {
  const rootFd = openRoot(root, false);
  let from: number | null = null;
  try {
    from = new ContainerTree(rootFd).find(target);
    if (from === null || !statSync(`/proc/self/fd/${from}`).isDirectory()) return false;
    await inSlices(copyTree(`/proc/self/fd/${from}/.`, to));
    return true;
  } catch (error) {
    await removeTree(to);
    throw error;
  } finally {
    if (from !== null) closeSync(from);
    closeSync(rootFd);
  }
}

/**
 * Fills the volumes of a task that are empty, in one piece: after a crash a volume is empty, or filled by the next start.
 * The mount point's owner, mode and time become the volume's. To be awaited before the task is compiled.
 * @throws TsdError with step `fill volume`.
 */
export async function fillVolumes(spec: TaskSpec): Promise<void> {
  for (const mount of spec.mounts) {
    while (underway.has(mount.source)) await underway.get(mount.source);
    if (!needsFilling(mount)) continue;
    const filling = fill(spec.root, mount).finally(() => underway.delete(mount.source));
    // The one that waits looks again itself; the error is this caller's.
    underway.set(
      mount.source,
      filling.catch(() => {}),
    );
    try {
      await filling;
    } catch (error) {
      throw fileError(error, `fill volume at ${mount.target}`);
    }
  }
}
