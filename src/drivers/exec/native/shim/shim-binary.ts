/** The program of the shim, read once and kept in memory: shims of one supervisor are of one version. */
import { closeSync, readFileSync } from 'node:fs';
import { sealedMemoryFile } from '../../../../ffi/process/processes.ts';
import { TsdError } from '../../../../model/errors/errors.ts';

export class ShimBinary {
  readonly path: string;
  #fd: number | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** Returns a sealed memory file, which stays ours. @throws TSD_UNSUPPORTED_HOST when the program is missing */
  open(): number {
    if (this.#fd !== undefined) return this.#fd;
    let content: Buffer;
    try {
      content = readFileSync(this.path);
    } catch (cause) {
      const step = `read ${this.path}`;
      throw new TsdError('TSD_UNSUPPORTED_HOST', `the shim is missing: ${this.path}`, { step, cause });
    }
    this.#fd = sealedMemoryFile('tsdocker-shim', content);
    return this.#fd;
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}
