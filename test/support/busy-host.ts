/**
 * A host on which files are renamed and filesystems mounted without a pause: one loop of renames a processor, and one of
 * mounts. They have a mount namespace and a filesystem of their own; the counters of the kernel that lookups race with are
 * the same for all (rename_lock of fs/dcache.c, mount_lock of fs/namespace.c).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

const PRIVATE = ['--mount', '--propagation', 'private', 'sh', '-c'] as const;
const RENAMES =
  'mount -t tmpfs none "$0" && cd "$0" && exec perl -e \'mkdir "a"; while (1) { rename "a", "b"; rename "b", "a" }\'';
const MOUNTS = 'while mount -t tmpfs none "$0"; do umount "$0"; done';

export class BusyHost {
  readonly #loops: ChildProcess[];

  /** @param directory is made; nothing stays in it. */
  constructor(directory: string) {
    mkdirSync(directory);
    const loop = (script: string, name: string): ChildProcess => {
      const place = join(directory, name);
      mkdirSync(place);
      return spawn('unshare', [...PRIVATE, script, place], { stdio: 'ignore' });
    };
    const renames = Array.from({ length: availableParallelism() }, (_, index) => loop(RENAMES, `renames${index}`));
    this.#loops = [...renames, loop(MOUNTS, 'mounts')];
  }

  /** True while all loops continue. */
  get isBusy(): boolean {
    return this.#loops.every(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  }

  /** Resolves when all loops have ended. */
  async rest(): Promise<void> {
    const ends = this.#loops
      .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      .map((loop) => new Promise((ended) => loop.once('exit', ended)));
    for (const loop of this.#loops) loop.kill('SIGKILL');
    await Promise.all(ends);
  }
}
