import { reap } from '../../../../ffi/process/processes.ts';

/**
 * Reaps shims that this process started. libuv waits only for processes of its own, so ours would stay zombies. A shim
 * counts as leaving when its connection is gone; it is reaped then, or at the next SIGCHLD.
 */
export class ShimChildren {
  readonly #started = new Set<number>();
  readonly #leaving = new Set<number>();
  readonly #sweep = (): void => {
    for (const pid of this.#leaving) if (reap(pid)) this.#leaving.delete(pid);
  };

  constructor() {
    process.on('SIGCHLD', this.#sweep);
  }

  started(pid: number): void {
    this.#started.add(pid);
  }

  /** Ends one that has not left. Until it is reaped nothing else can have its pid, and no descriptor is needed. */
  kill(pid: number): void {
    if (this.#started.has(pid) || this.#leaving.has(pid)) process.kill(pid, 'SIGKILL');
  }

  leaving(pid: number): void {
    if (!this.#started.delete(pid)) return;
    this.#leaving.add(pid);
    this.#sweep();
  }

  close(): void {
    process.off('SIGCHLD', this.#sweep);
  }
}
