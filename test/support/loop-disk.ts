import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { until } from './wait.ts';

/** A small ext4 filesystem of a test's own on a loop device, mounted. */
export class LoopDisk {
  readonly path = mkdtempSync('/tmp/tsd-test-disk-');
  readonly #image = `${this.path}.img`;

  /** @param options of mke2fs */
  constructor(bytes: number, ...options: readonly string[]) {
    writeFileSync(this.#image, '');
    truncateSync(this.#image, bytes);
    execFileSync('mke2fs', ['-q', '-t', 'ext4', ...options, this.#image]);
    this.mount();
  }

  mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#image, this.path]);
  }

  /** Waits until no one uses it any more, in another mount namespace neither. */
  async unmount(): Promise<void> {
    await until('the disk to be unused', () => {
      execFileSync('umount', [this.path], { stdio: 'ignore' });
      return true;
    });
    // Its loop device goes with the last mount; before, a new mount is of the same filesystem, failures and all.
    const isAttached = () => execFileSync('losetup', ['-j', this.#image], { encoding: 'utf8' }) !== '';
    await until('the disk to be unmounted everywhere', () => !isAttached());
  }

  /** Unmounts it, and deletes what it was on. */
  async remove(): Promise<void> {
    await this.unmount();
    rmdirSync(this.path);
    rmSync(this.#image);
  }
}
