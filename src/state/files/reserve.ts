import { randomBytes } from 'node:crypto';
import { appendFileSync, statfsSync, statSync, truncateSync } from 'node:fs';
import { dirname } from 'node:path';
import { toTsdError } from '../../model/errors/errors.ts';

/** Enough for what a stop or a new generation writes; others on the disk get no more than that at a time. */
const SLICE_BYTES = 256 * 1024;
const RESERVE_BYTES = 8 * SLICE_BYTES;
/** The reserve is filled up only where that leaves so much free. */
const LEAST_FREE_BYTES = 16 * 1024 ** 2;

const isFull = (error: unknown): boolean => toTsdError(error).code === 'TSD_DISK_FULL';

/**
 * Room kept on the disk for what makes room: a stop, a removal and an approval are written down first, and on a full disk
 * could not be. They get a slice of this file; nothing else does.
 */
export class Reserve {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Does something that makes room; where the disk is full, again with a slice of the reserve, until that is used up. */
  spendOn<T>(work: () => T): T {
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!isFull(error) || !this.#giveSlice()) throw error;
      }
    }
  }

  /** As {@link spendOn}. */
  async spendOnAsync<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!isFull(error) || !this.#giveSlice()) throw error;
      }
    }
  }

  /** Fills it up where there is room. An error here is ignored: the next write that needs the disk reports it. */
  refill(): void {
    try {
      const missing = RESERVE_BYTES - this.#size();
      const { bavail, bsize } = statfsSync(dirname(this.#path));
      if (missing <= 0 || bavail * bsize < LEAST_FREE_BYTES + missing) return;
      // Random: a filesystem that compresses would keep next to nothing for zeros.
      appendFileSync(this.#path, randomBytes(missing), { mode: 0o600 });
    } catch {
      // Tried again at the next look.
    }
  }

  #size(): number {
    return statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** False when nothing is left. */
  #giveSlice(): boolean {
    const size = this.#size();
    if (size > 0) truncateSync(this.#path, Math.max(0, size - SLICE_BYTES));
    return size > 0;
  }
}
