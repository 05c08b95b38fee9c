/** Decides when a changed directory has come to rest. Holds no timers and reads no clock: `now` comes in. */
import type { Gate } from '../../ffi/files/gate.ts';
import type { Instant } from '../../model/clock.ts';
import type { FileContent, ReadResult } from '../content.ts';
import { readFinishedFile, type Signature } from './files.ts';
import type { Scan } from './scan.ts';

/** How long a file must be unchanged. */
const STABLE_MS = 30;
/** The same where the filesystem has no leases. */
const STABLE_UNSURE_MS = 300;
/** Editors and version control replace files by removing and making them; a removal counts after this time. */
const REMOVAL_MS = 150;
/** A file that is open for writing this long no longer holds up the others; it keeps its former content. */
const PATIENCE_MS = 2_000;

export interface WatchedFile {
  readonly path: string;
  /** Text of the file, or why there is none. */
  readonly content: FileContent;
}

interface Seen {
  readonly signature: Signature;
  readonly sinceBootMs: number;
}

interface Accepted {
  readonly signature: Signature;
  readonly file: WatchedFile;
}

/** What a look at the directory led to. */
export type Settled =
  | { readonly state: 'unchanged' }
  /** Look again after this many milliseconds. */
  | { readonly state: 'waiting'; readonly ms: number }
  /** `again` is set when a file was left at its former content. */
  | { readonly state: 'changed'; readonly files: readonly WatchedFile[]; readonly again: boolean };

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false });

function toContent(result: ReadResult): FileContent {
  if (!result.ok) {
    const { message, reason, hint } = result;
    return reason === 'untrusted' ? { ok: false, message, refused: hint } : { ok: false, message };
  }
  try {
    return { ok: true, text: decoder.decode(result.bytes) };
  } catch {
    return { ok: false, message: 'the file is not text in UTF-8' };
  }
}

/** Milliseconds since the last change by the file's own times; 0 for times in the future. */
function ageOf(signature: Signature, now: Instant): number {
  const [, , , modified = '0', changed = '0'] = signature.split(':');
  const latest = BigInt(modified) > BigInt(changed) ? BigInt(modified) : BigInt(changed);
  return Math.max(0, now.wallMs - Number(latest / 1_000_000n));
}

/** What is wrong may be a directory on the way, whose change the file does not show. */
const isRefused = ({ file: { content } }: Accepted): boolean => !content.ok && content.refused !== undefined;

/** The former one where the new one says the same. */
function sameOr(before: Accepted | undefined, now: Accepted): Accepted {
  return before?.signature === now.signature && JSON.stringify(before) === JSON.stringify(now) ? before : now;
}

/** Reads files that are finished; says of the others for how long to wait. */
class Reader {
  readonly #seen = new Map<string, Seen>();
  readonly #gate: Gate | null;

  constructor(gate: Gate | null = null) {
    this.#gate = gate;
  }

  /** The content, or the milliseconds after which to ask again. */
  read(path: string, signature: Signature, now: Instant): ReadResult | number {
    let seen = this.#seen.get(path);
    if (seen?.signature !== signature) {
      seen = { signature, sinceBootMs: now.bootMs - ageOf(signature, now) };
      this.#seen.set(path, seen);
    }
    const rested = now.bootMs - seen.sinceBootMs;
    if (rested < STABLE_MS) return STABLE_MS - rested;
    const read = readFinishedFile(path, signature, this.#gate);
    if (read.state === 'unfinished') return STABLE_MS;
    if (read.state === 'unsure' && rested < STABLE_UNSURE_MS) return STABLE_UNSURE_MS - rested;
    this.#seen.delete(path);
    return read.result;
  }
}

/** Remembers since when a path is missing. */
class Missing {
  readonly #since = new Map<string, number>();

  /** For how long to wait until the absence counts; 0 when it does. */
  wait(path: string, now: Instant): number {
    const since = this.#since.get(path) ?? now.bootMs;
    this.#since.set(path, since);
    const left = REMOVAL_MS - (now.bootMs - since);
    if (left <= 0) this.#since.delete(path);
    return Math.max(0, left);
  }

  found(path: string): void {
    this.#since.delete(path);
  }
}

/** The manifests of one directory: a change is reported when all of them are complete. */
export class DirectorySettler {
  #accepted = new Map<string, Accepted>();
  readonly #reader: Reader;
  readonly #missing = new Missing();
  #restlessSince: number | null = null;

  /** @param gate of the files; null: whoever wrote them is trusted */
  constructor(gate: Gate | null = null) {
    this.#reader = new Reader(gate);
  }

  look(scan: Scan, now: Instant): Settled {
    const next = new Map<string, Accepted>();
    let wait = 0;
    for (const [path, signature] of scan.files) {
      const before = this.#accepted.get(path);
      if (scan.unseen.has(path) && before && before.signature !== signature) {
        const left = this.#missing.wait(path, now);
        if (left > 0) {
          next.set(path, before);
          wait = Math.max(wait, left);
          continue;
        }
      } else this.#missing.found(path);
      if (before?.signature === signature && !isRefused(before)) {
        next.set(path, before);
        continue;
      }
      const read = this.#reader.read(path, signature, now);
      if (typeof read === 'number') {
        wait = Math.max(wait, read);
        if (before) next.set(path, before);
      } else next.set(path, sameOr(before, { signature, file: { path, content: toContent(read) } }));
    }
    wait = Math.max(wait, this.#removals(scan, next, now));
    return this.#conclude(next, wait, now);
  }

  #removals(scan: Scan, next: Map<string, Accepted>, now: Instant): number {
    let wait = 0;
    for (const [path, before] of this.#accepted) {
      if (scan.files.has(path)) continue;
      const left = this.#missing.wait(path, now);
      if (left > 0) next.set(path, before);
      wait = Math.max(wait, left);
    }
    return wait;
  }

  #conclude(next: Map<string, Accepted>, wait: number, now: Instant): Settled {
    const since = this.#restlessSince ?? now.bootMs;
    if (wait > 0 && now.bootMs - since < PATIENCE_MS) {
      this.#restlessSince = since;
      return { state: 'waiting', ms: wait };
    }
    const same =
      next.size === this.#accepted.size && [...next].every(([path, file]) => this.#accepted.get(path) === file);
    if (same && wait > 0) return { state: 'waiting', ms: wait };
    this.#restlessSince = wait > 0 ? since : null;
    if (same) return { state: 'unchanged' };
    this.#accepted = next;
    const files = [...next.values()].map(({ file }) => file).sort((a, b) => (a.path < b.path ? -1 : 1));
    return { state: 'changed', files, again: wait > 0 };
  }
}

/** After a resolution, inputs changed this recently are reported once more: they may have changed between reading and watching. */
const RECENT_MS = 2_000;

/** Looks at a file now: null for a missing one, undefined for one in an unknown state. */
type LookAt = (path: string) => Signature | null | undefined;

/** Single files whose change matters: env files, secrets, bound files. They may be absent. */
export class InputSettler {
  /** The reported signature; undefined is reported at the next look. */
  #known = new Map<string, Signature | null | undefined>();
  readonly #reader = new Reader();
  readonly #missing = new Missing();

  get paths(): readonly string[] {
    return [...this.#known.keys()];
  }

  set(paths: Iterable<string>, signatureAt: LookAt, now: Instant): void {
    const before = this.#known;
    this.#known = new Map();
    for (const path of paths) {
      const signature = before.has(path) ? before.get(path) : signatureAt(path);
      const recent = !before.has(path) && signature != null && ageOf(signature, now) < RECENT_MS;
      this.#known.set(path, recent ? undefined : signature);
    }
  }

  look(signatureAt: LookAt, now: Instant): { readonly changed: boolean; readonly waitMs: number } {
    let changed = false;
    let waitMs = 0;
    for (const [path, known] of this.#known) {
      const signature = signatureAt(path);
      if (signature === undefined) continue;
      if (signature !== null) this.#missing.found(path);
      if (signature === known) continue;
      const left = signature === null ? this.#missing.wait(path, now) : this.#reader.read(path, signature, now);
      if (typeof left === 'number' && left > 0) waitMs = Math.max(waitMs, left);
      else {
        this.#known.set(path, signature);
        changed = true;
      }
    }
    return { changed, waitMs };
  }
}
