/** How far a log has been forwarded: one small write an entry, in place, so that kill -9 doubles one entry at most. */
import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { z } from 'zod';
import type { LogPosition } from '../log-tail.ts';

const schema = z.object({ inode: z.number(), offset: z.number(), mark: z.string() });
/** A mark is 64 bytes, six each when escaped. */
const BYTES = 512;

export class CursorFile {
  readonly #fd: number;
  readonly position: LogPosition | null;

  constructor(path: string) {
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    this.position = CursorFile.#read(this.#fd);
  }

  static #read(fd: number): LogPosition | null {
    try {
      return schema.parse(JSON.parse(readFileSync(fd, 'latin1')));
    } catch {
      // Empty, or torn by a crash of the host: the log is forwarded from its oldest entry.
      return null;
    }
  }

  write(position: LogPosition): void {
    writeSync(this.#fd, Buffer.from(JSON.stringify(position).padEnd(BYTES), 'latin1'), 0, BYTES, 0);
  }

  close(): void {
    closeSync(this.#fd);
  }
}
