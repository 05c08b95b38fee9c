import type { ExecDriver } from '../drivers/contract/exec.ts';
import { systemTimers } from '../engine/timers.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import type { Gate } from '../ffi/files/gate.ts';
import { MountTable } from '../ffi/storage/mount-table.ts';
import type { ReadFile } from '../manifest/content.ts';
import { readContentFile } from '../manifest/source/files.ts';
import { PathBook } from '../reconcile/path-book.ts';

/** What is known of files on filesystems that may not answer. @param onNews see {@link PathBookPorts.onNews} */
export function createPathBook(exec: Pick<ExecDriver, 'reach'>, onNews: (path: string) => void): PathBook {
  const mounts = new MountTable();
  return new PathBook({
    clock: systemClock,
    timers: systemTimers,
    remoteOn: (path) => mounts.remoteOn(path),
    reach: (path) => exec.reach(path),
    onNews,
  });
}

/**
 * Reads files, except on filesystems that have not just answered: such a read may block for ever.
 * @param gate for files that are obeyed
 */
export function freeReader(paths: PathBook, gate: Gate | null = null): ReadFile {
  return (path, maxBytes) =>
    paths.isFree(path)
      ? readContentFile(path, maxBytes, gate)
      : { ok: false, reason: 'unanswered', message: `${path} ${paths.trouble(path)}` };
}
