import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { partPath } from './blob-download.ts';

/** A partial download untouched for this long is removed. */
const MAX_PART_AGE_MS = 7 * 24 * 3_600_000;

/** The downloaded blobs, which several pulls may use at the same time. */
export class BlobFiles {
  readonly directory: string;
  readonly #holders = new Map<string, number>();
  readonly #busy = new Map<string, Promise<unknown>>();

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Keeps a blob's file, there or to come, until {@link release}. */
  hold(digest: string): void {
    this.#holders.set(digest, (this.#holders.get(digest) ?? 0) + 1);
  }

  /** Downloads a held blob unless another download of it runs. */
  async fetch(digest: string, download: () => Promise<string>): Promise<string> {
    for (let busy = this.#busy.get(digest); busy !== undefined; busy = this.#busy.get(digest))
      await busy.catch(() => {});
    const work = download();
    this.#busy.set(digest, work);
    try {
      return await work;
    } finally {
      this.#busy.delete(digest);
    }
  }

  /** @param used the file served its purpose: it goes with its last holder. Otherwise it stays for another try. */
  async release(digest: string, used: boolean): Promise<void> {
    const holders = (this.#holders.get(digest) ?? 1) - 1;
    if (holders > 0) this.#holders.set(digest, holders);
    else this.#holders.delete(digest);
    if (used && holders === 0) await rm(partPath(this.directory, digest), { force: true });
  }

  /** Files that the layer no longer needs, since it came another way. */
  async drop(digest: string): Promise<void> {
    if (!this.#holders.has(digest)) await rm(partPath(this.directory, digest), { force: true });
  }

  /** Removes abandoned partial downloads. @param nowMs Unix time. */
  async prune(nowMs: number): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.directory)) {
      const path = join(this.directory, name);
      const status = await stat(path).catch(() => null);
      const held = this.#holders.has(name.replace(/\.part$/, ''));
      if (status !== null && !held && nowMs - status.mtimeMs > MAX_PART_AGE_MS) await rm(path, { force: true });
    }
  }
}
