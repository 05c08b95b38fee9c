/** Answers of servers, for as long as they say and as long as there is room. Those asked longest ago go first. */
import type { Lifetime } from './upstream-reply.ts';

interface Kept {
  readonly reply: Buffer;
  readonly ttlsAt: readonly number[];
  readonly storedMs: number;
  readonly endMs: number;
}

/** What an entry takes beside the bytes of its key and reply; estimated. */
const ENTRY_BYTES = 400;
const PLACE_BYTES = 8;

export class AnswerCache {
  readonly #maxBytes: number;
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  put(key: string, reply: Buffer, { seconds, ttlsAt }: Lifetime, nowMs: number): void {
    this.#drop(key);
    // A copy: the bytes that came may be part of a larger buffer.
    const kept = { reply: Buffer.from(reply), ttlsAt, storedMs: nowMs, endMs: nowMs + seconds * 1000 };
    if (sizeOf(key, kept) > this.#maxBytes / 16) return;
    this.#kept.set(key, kept);
    this.#bytes += sizeOf(key, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
  }

  /** The answer, its times to live less by its age; the caller may change the bytes. */
  get(key: string, nowMs: number): Buffer | null {
    const kept = this.#kept.get(key);
    if (kept === undefined) return null;
    if (nowMs >= kept.endMs) {
      this.#drop(key);
      return null;
    }
    // Now the last of all.
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    const reply = Buffer.from(kept.reply);
    const age = Math.floor((nowMs - kept.storedMs) / 1000);
    if (age > 0) for (const at of kept.ttlsAt) reply.writeUInt32BE(Math.max(reply.readUInt32BE(at) - age, 0), at);
    return reply;
  }

  /** Forgets all whose keys begin so. */
  forget(prefix: string): void {
    for (const key of this.#kept.keys()) if (key.startsWith(prefix)) this.#drop(key);
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= sizeOf(key, kept);
  }
}

const sizeOf = (key: string, { reply, ttlsAt }: Kept): number =>
  ENTRY_BYTES + key.length + reply.length + ttlsAt.length * PLACE_BYTES;
