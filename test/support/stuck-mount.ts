/**
 * A real filesystem (FUSE) that stops answering: who looks up a file on it is stuck in the kernel and cannot be killed,
 * until it continues and everything on it is an empty directory. Or one that is out of order, and answers everything with the
 * same error.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, readSync, rmdirSync, writeSync } from 'node:fs';

// include/uapi/linux/fuse.h
const FUSE_LOOKUP = 1;
const FUSE_GETATTR = 3;
const FUSE_INIT = 26;
const FUSE_FORGET = 2;
const FUSE_INTERRUPT = 36;
const FUSE_BATCH_FORGET = 42;
const ANSWERED_BY_NOBODY: ReadonlySet<number> = new Set([FUSE_FORGET, FUSE_INTERRUPT, FUSE_BATCH_FORGET]);
const OUT_HEADER_BYTES = 16;
const ENOSYS = 38;
const S_IFDIR = 0o040000;
const LOOK_EVERY_MS = 2;

export class StuckMount {
  readonly path: string;
  /** How many wait for an answer that never comes. */
  stuck = 0;
  readonly #errno: number | null;
  readonly #device: number;
  readonly #timer: NodeJS.Timeout;
  /** Look-ups without an answer. */
  readonly #waiting: bigint[] = [];
  #mounted = true;
  #goesOn = false;

  /** @param errno what a look-up is answered with; null for never */
  constructor(path: string, errno: number | null = null) {
    this.path = path;
    this.#errno = errno;
    mkdirSync(path);
    this.#device = openSync('/dev/fuse', constants.O_RDWR | constants.O_NONBLOCK);
    const options = 'fd=3,rootmode=40755,user_id=0,group_id=0,allow_other';
    const mounted = spawnSync('mount', ['-i', '-t', 'fuse', '-o', options, 'tsd-test', path], {
      stdio: ['ignore', 'ignore', 'inherit', this.#device],
    });
    if (mounted.status !== 0) throw new Error('cannot mount a FUSE filesystem');
    this.#timer = setInterval(() => this.#serve(), LOOK_EVERY_MS);
  }

  /** Answers whoever waits, and whoever comes. */
  goOn(): void {
    this.#goesOn = true;
    for (const unique of this.#waiting.splice(0)) this.#reply(unique, directoryEntry());
    this.stuck = 0;
  }

  /** The filesystem is gone for good: everyone stuck in it gets an error. */
  release(): void {
    if (!this.#mounted) return;
    this.#mounted = false;
    clearInterval(this.#timer);
    closeSync(this.#device);
    execFileSync('umount', ['-l', this.path]);
    rmdirSync(this.path);
  }

  #serve(): void {
    const request = Buffer.alloc(128 * 1024);
    for (;;) {
      try {
        if (readSync(this.#device, request) === 0) return;
      } catch {
        // Nothing is asked.
        return;
      }
      this.#answer(request.readUInt32LE(4), request.readBigUInt64LE(8));
    }
  }

  #answer(operation: number, unique: bigint): void {
    if (ANSWERED_BY_NOBODY.has(operation)) return;
    if (operation === FUSE_LOOKUP && this.#errno === null && !this.#goesOn) {
      this.stuck++;
      this.#waiting.push(unique);
    } else if (operation === FUSE_LOOKUP) this.#reply(unique, this.#errno ?? directoryEntry());
    else if (operation === FUSE_INIT) this.#reply(unique, init());
    else if (operation === FUSE_GETATTR) this.#reply(unique, attributesOfDirectory());
    else this.#reply(unique, ENOSYS);
  }

  /** @param answer struct, or errno */
  #reply(unique: bigint, answer: Buffer | number): void {
    const body = typeof answer === 'number' ? Buffer.alloc(0) : answer;
    const header = Buffer.alloc(OUT_HEADER_BYTES);
    header.writeUInt32LE(OUT_HEADER_BYTES + body.length, 0);
    header.writeInt32LE(typeof answer === 'number' ? -answer : 0, 4);
    header.writeBigUInt64LE(unique, 8);
    writeSync(this.#device, Buffer.concat([header, body]));
  }
}

/** struct fuse_init_out: version 7.31, small requests, nothing optional. */
function init(): Buffer {
  const out = Buffer.alloc(64);
  out.writeUInt32LE(7, 0);
  out.writeUInt32LE(31, 4);
  out.writeUInt32LE(4096, 20);
  return out;
}

/** struct fuse_attr of a directory. */
function attributes(): Buffer {
  const out = Buffer.alloc(88);
  out.writeBigUInt64LE(1n, 0);
  out.writeUInt32LE(S_IFDIR | 0o755, 60);
  out.writeUInt32LE(2, 64);
  return out;
}

/** struct fuse_attr_out that may be remembered for long. */
function attributesOfDirectory(): Buffer {
  const out = Buffer.alloc(16);
  out.writeBigUInt64LE(3600n, 0);
  return Buffer.concat([out, attributes()]);
}

/** struct fuse_entry_out of a directory. */
function directoryEntry(): Buffer {
  const out = Buffer.alloc(40);
  out.writeBigUInt64LE(2n, 0);
  out.writeBigUInt64LE(3600n, 16);
  out.writeBigUInt64LE(3600n, 24);
  return Buffer.concat([out, attributes()]);
}
