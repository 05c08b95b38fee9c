/** Reads and hashes the files of a spec, or takes what they are pinned to. */
import { createHash } from 'node:crypto';
import { copyName, type FileCopy } from '../model/contents.ts';
import type { ContentReaction } from '../model/kinds/short-forms.ts';
import { type ContentProblem, countsAsBefore, MAX_CONTENT_BYTES, type ReadFile, type ReadResult } from './content.ts';
import { type ContentPath, type ContentPaths, contentReactions } from './content-paths.ts';

export interface ContentHasher {
  readonly readFile: ReadFile;
  /** Reads what a container is configured by; left out, as any other file. */
  readonly readSettings?: ReadFile | undefined;
  /** Keyed hash, hex, for what may be secret: a plain hash of a short password can be guessed. */
  readonly hashSecret: (bytes: Buffer) => string;
}

/** What the files of a spec hold. */
export interface Content {
  /** By path as written; files whose change is ignored are left out. */
  readonly hashes: Readonly<Record<string, string>>;
  /** What a change of a file leads to, by path as written, for those of {@link hashes}. */
  readonly reactions: Readonly<Record<string, ContentReaction>>;
  /** Absolute paths whose change should lead to a new look. */
  readonly inputs: readonly string[];
  readonly problems: readonly ContentProblem[];
  /** Copies that stand for files, by path as written. */
  readonly files: Readonly<Record<string, FileCopy>>;
  /** Files, as written, that are not any more what they are pinned to. */
  readonly changed: readonly string[];
}

/** What a file is pinned to, whatever it holds now: its hash, a copy of it, or both. */
interface PinnedFile {
  readonly hash: string | undefined;
  readonly copy: FileCopy | undefined;
}

/** How files are pinned. */
export interface Pinning {
  /** What a file is pinned to; null for one that counts as it is now. */
  pinnedTo(path: ContentPath): PinnedFile | null;
  /** The copy of before, for a file that cannot be read just now. */
  before(path: ContentPath): FileCopy | undefined;
  /** Takes a copy of what a file holds now, where there is room for it. */
  take(copy: FileCopy, bytes: Buffer): boolean;
}

const NO_PINNING: Pinning = { pinnedTo: () => null, before: () => undefined, take: () => false };

type Hash = (bytes: Buffer) => string;

/** A profile of system calls is no file of the payload's. */
const isObeyed = ({ field }: ContentPath): boolean => field === 'seccomp';

/** Of what is no secret. */
export const plainHash: Hash = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** A copy of what was read, or undefined where none can be: of secrets, of large files, of unknown owners. */
function copyOf({ type }: ContentPath, read: Extract<ReadResult, { ok: true }>): FileCopy | undefined {
  const { bytes, owner } = read;
  if (type === 'secret' || owner === undefined || bytes.length > MAX_CONTENT_BYTES) return undefined;
  return { name: copyName(plainHash(bytes), owner), bytes: bytes.length };
}

/** Collects what the files of one spec hold. */
class ContentReader {
  readonly #hasher: ContentHasher;
  readonly #last: Readonly<Record<string, string>>;
  readonly #pinning: Pinning;
  readonly hashes: Record<string, string> = {};
  readonly files: Record<string, FileCopy> = {};
  readonly inputs: string[] = [];
  readonly problems: ContentProblem[] = [];
  readonly changed: string[] = [];

  constructor(hasher: ContentHasher, last: Readonly<Record<string, string>>, pinning: Pinning) {
    this.#hasher = hasher;
    this.#last = last;
    this.#pinning = pinning;
  }

  bind(path: ContentPath): void {
    if (path.reaction === 'ignore') return;
    const { written, field, maxBytes } = path;
    const { readFile } = this.#hasher;
    const read = (isObeyed(path) ? this.#readSettings : readFile)(path.path, maxBytes);
    const hash = this.#hashOf(path);
    if (this.#isPinned(path, read, hash)) return;
    const unanswered = countsAsBefore(read);
    const before = unanswered ? this.#last[written] : undefined;
    if (read.ok) this.#take(path, read, hash);
    else if (before !== undefined) this.#asBefore(path, before);
    else if (maxBytes > MAX_CONTENT_BYTES && read.reason !== 'missing')
      this.problems.push({ field, message: read.message });
    if (read.ok || read.reason === 'missing' || unanswered) this.inputs.push(path.path);
  }

  secret(path: ContentPath): void {
    const { hashSecret } = this.#hasher;
    const counts = path.reaction !== 'ignore';
    const read = this.#readSettings(path.path);
    if (counts && this.#isPinned(path, read, hashSecret)) return;
    const before = countsAsBefore(read) ? this.#last[path.written] : undefined;
    if (read.ok && counts) this.#take(path, read, hashSecret);
    else if (before !== undefined) this.#asBefore(path, before);
    this.inputs.push(path.path);
  }

  get #readSettings(): ReadFile {
    return this.#hasher.readSettings ?? this.#hasher.readFile;
  }

  /** True when what it is pinned to stands for the file. */
  #isPinned(path: ContentPath, read: ReadResult, hash: Hash): boolean {
    const pinned = this.#pinning.pinnedTo(path);
    if (pinned === null) return false;
    const { written } = path;
    if (pinned.hash !== undefined) this.hashes[written] = pinned.hash;
    if (pinned.copy !== undefined) this.files[written] = pinned.copy;
    const isSame = (bytes: Buffer): boolean =>
      pinned.hash === undefined ||
      hash(bytes) === pinned.hash ||
      // Earlier versions kept the plain hash of mounted secrets.
      (path.type === 'secret' && plainHash(bytes) === pinned.hash);
    const same = read.ok ? isSame(read.bytes) : countsAsBefore(read);
    if (!same) this.changed.push(written);
    this.inputs.push(path.path);
    return true;
  }

  #take(path: ContentPath, read: Extract<ReadResult, { ok: true }>, hash: Hash): void {
    this.hashes[path.written] = hash(read.bytes);
    const copy = copyOf(path, read);
    if (copy !== undefined && this.#pinning.take(copy, read.bytes)) this.files[path.written] = copy;
  }

  #asBefore(path: ContentPath, hash: string): void {
    this.hashes[path.written] = hash;
    const copy = this.#pinning.before(path);
    if (copy !== undefined) this.files[path.written] = copy;
  }

  /** As long as a mounted secret is what it was under an earlier version, its plain hash stays: nothing restarts for it. */
  #hashOf({ type, written }: ContentPath): Hash {
    if (type !== 'secret') return plainHash;
    return (bytes) => {
      const plain = plainHash(bytes);
      return this.#last[written] === plain ? plain : this.#hasher.hashSecret(bytes);
    };
  }
}

/**
 * Reads and hashes the files that count.
 * @param last hashes of before: files that cannot be read now keep these
 */
export function hashContent(
  paths: ContentPaths,
  hasher: ContentHasher,
  last: Readonly<Record<string, string>> = {},
  pinning: Pinning = NO_PINNING,
): Content {
  const reader = new ContentReader(hasher, last, pinning);
  for (const path of paths.binds) reader.bind(path);
  for (const path of paths.secrets) reader.secret(path);
  const { hashes, files, inputs, problems, changed } = reader;
  return { hashes, reactions: contentReactions(paths), inputs, problems, files, changed };
}
