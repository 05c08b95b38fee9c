import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { BuildStream } from '../../../images/build/host.ts';

interface WrittenLine {
  readonly log: string;
  readonly stream: BuildStream;
}

const CHUNK_BYTES = 64 * 1024;
/** Safety net beside inotify. */
const RECHECK_MS = 250;

/** Passes on what a command writes into its json-file log, until {@link finish}. */
export class BuildOutput {
  readonly #path: string;
  readonly #output: (text: string, stream: BuildStream) => void;
  readonly #watcher: FSWatcher;
  readonly #timer: NodeJS.Timeout;
  #file: FileHandle | null = null;
  #inode = 0;
  #rest = Buffer.alloc(0);
  #reading: Promise<void> = Promise.resolve();

  constructor(path: string, output: (text: string, stream: BuildStream) => void) {
    this.#path = path;
    this.#output = output;
    const look = (): void => {
      this.#reading = this.#reading.then(() => this.#read());
    };
    this.#watcher = watch(dirname(path), look);
    this.#watcher.on('error', look);
    this.#timer = setInterval(look, RECHECK_MS);
  }

  /** The command has ended and its log is complete: passes on the rest. */
  async finish(): Promise<void> {
    this.#watcher.close();
    clearInterval(this.#timer);
    await this.#reading;
    await this.#read();
    await this.#file?.close();
  }

  async #read(): Promise<void> {
    await this.#readOpen();
    const current = await open(this.#path, 'r').catch(() => null);
    if (current === null) return;
    const { ino } = await current.stat();
    if (ino === this.#inode) {
      await current.close();
      return;
    }
    // Rotated: what the old file still got comes first.
    await this.#readOpen();
    await this.#file?.close();
    this.#file = current;
    this.#inode = ino;
    this.#rest = Buffer.alloc(0);
    await this.#readOpen();
  }

  async #readOpen(): Promise<void> {
    if (this.#file === null) return;
    for (;;) {
      const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
      const { bytesRead } = await this.#file.read(chunk, 0, chunk.length, null);
      if (bytesRead === 0) return;
      this.#take(Buffer.concat([this.#rest, chunk.subarray(0, bytesRead)]));
    }
  }

  #take(data: Buffer): void {
    const end = data.lastIndexOf(0x0a) + 1;
    this.#rest = Buffer.from(data.subarray(end));
    const written = data.toString('utf8', 0, end).split('\n');
    const lines = written.filter((line) => line !== '').map((line) => JSON.parse(line) as WrittenLine);
    // As much at once as comes from one stream.
    let text = '';
    for (const [index, { log, stream }] of lines.entries()) {
      text += log;
      if (lines[index + 1]?.stream === stream || text === '') continue;
      this.#output(text, stream);
      text = '';
    }
  }
}
