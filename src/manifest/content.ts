/** Files whose content belongs to a spec: env files, secrets and regular files bound read-only. */
import { createHash } from 'node:crypto';
import { copyName, type FileCopy, type FileOwner } from '../model/contents.ts';
import type { ContainerSpec } from '../model/kinds/container.ts';
import { profilePath } from '../model/kinds/seccomp-forms.ts';
import type { ContentReaction } from '../model/kinds/short-forms.ts';
import { parseEnvFile } from './env-file.ts';

/** Larger files do not belong to a spec unless it says so; a bind of one is mounted and not watched. */
export const MAX_CONTENT_BYTES = 1024 ** 2;
/** Files with `watch: true` are read as a whole, so they have a limit too. */
const MAX_WATCHED_BYTES = 64 * 1024 ** 2;

/** MAX_ARG_STRLEN (linux/binfmts.h): execve refuses a longer `NAME=value`. */
const MAX_ENV_BYTES = 131_072;

export type ReadResult =
  | {
      readonly ok: true;
      readonly bytes: Buffer /** Left out, it is not known, and the file is never pinned. */;
      readonly owner?: FileOwner;
    }
  | {
      readonly ok: false;
      /** `unanswered`: it lies on a filesystem that has not answered, so far. `untrusted`: others may write to it. */
      readonly reason: 'missing' | 'not-a-file' | 'too-large' | 'unreadable' | 'unanswered' | 'untrusted';
      readonly message: string;
      /** What to do about it, where there is something better than for other files that cannot be read. */
      readonly hint?: string;
    };

/** True for a file of which nothing is known now: what it held before counts. */
export function countsAsBefore(read: ReadResult): boolean {
  return !read.ok && (read.reason === 'unanswered' || read.reason === 'untrusted');
}

/** Text of a manifest, or why there is none. */
export type FileContent =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false;
      readonly message: string;
      /** Others may write to the file or its path, so it is not read; what to type about it. */
      readonly refused?: string | undefined;
    };

/**
 * Reads a regular file. Never throws, and never waits for a writer or a filesystem that does not answer.
 * @param maxBytes larger ones are refused; {@link MAX_CONTENT_BYTES} when left out
 */
export type ReadFile = (path: string, maxBytes?: number) => ReadResult;

/** Something wrong with a file, by the field that names it: `envFile.0`, `env.PASSWORD`. */
export interface ContentProblem {
  readonly field: string;
  readonly message: string;
  /** What it holds is not known now, see {@link countsAsBefore}, and no fault of the manifest. */
  readonly unanswered?: boolean;
  /** Others may write to it: what to type about that. */
  readonly refused?: string | undefined;
}

export interface Environment {
  /** By name; later files win over earlier ones and `env` over all files. */
  readonly values: ReadonlyMap<string, string>;
  readonly problems: readonly ContentProblem[];
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function decode(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

/** The value of a secret file: its text without one trailing line break. */
function secretValue(bytes: Buffer): { ok: true; value: string } | { ok: false; message: string } {
  const text = decode(bytes);
  if (text === null || text.includes('\0')) return { ok: false, message: 'is not text in UTF-8' };
  if (bytes.length > MAX_ENV_BYTES - 256) return { ok: false, message: 'is too long for an environment variable' };
  return { ok: true, value: text.replace(/\r?\n$/, '') };
}

function unreadable(field: string, read: Extract<ReadResult, { ok: false }>): ContentProblem {
  const { message, hint, reason } = read;
  const refused = reason === 'untrusted' && { refused: hint };
  return { field, message, ...(countsAsBefore(read) && { unanswered: true }), ...refused };
}

/**
 * The container's own environment, read from its files now. Without the image's variables and those of links.
 * @param spec with absolute paths, from a DesiredState.
 */
export function loadEnvironment(spec: Pick<ContainerSpec, 'env' | 'envFile'>, readFile: ReadFile): Environment {
  const values = new Map<string, string>();
  const problems: ContentProblem[] = [];
  for (const [index, path] of spec.envFile.entries()) {
    const field = `envFile.${index}`;
    const read = readFile(path);
    const text = read.ok ? decode(read.bytes) : null;
    if (!read.ok) problems.push(unreadable(field, read));
    else if (text === null) problems.push({ field, message: `${path} is not text in UTF-8` });
    else {
      const file = parseEnvFile(text);
      for (const { line, message } of file.problems) problems.push({ field, message: `${path}:${line}: ${message}` });
      for (const [name, value] of file.values) values.set(name, value);
    }
  }
  for (const [name, value] of Object.entries(spec.env)) {
    if (typeof value === 'string') {
      values.set(name, value);
      continue;
    }
    const read = readFile(value.fromFile);
    const secret = read.ok ? secretValue(read.bytes) : read;
    if (secret.ok && 'value' in secret) values.set(name, secret.value);
    else if (!read.ok) problems.push(unreadable(`env.${name}`, read));
    else if (!secret.ok) problems.push({ field: `env.${name}`, message: `${value.fromFile} ${secret.message}` });
  }
  return { values, problems };
}

export interface ContentHasher {
  readonly readFile: ReadFile;
  /** Reads what a container is configured by; left out, as any other file. */
  readonly readSettings?: ReadFile | undefined;
  /** Keyed hash, hex, for what may be secret: a plain hash of a short password can be guessed. */
  readonly hashSecret: (bytes: Buffer) => string;
}

/** A path as written, beside the absolute one that is read. */
export interface ContentPath {
  /** `secret`: of it there is never a copy. */
  readonly type: 'env-file' | 'secret' | 'bind';
  /** Its manifest says what a change of it leads to, and so wants changes to count. */
  readonly follows: boolean;
  readonly written: string;
  readonly path: string;
  /** Field that names it: `volumes.0`. */
  readonly field: string;
  readonly reaction: ContentReaction;
  readonly maxBytes: number;
}

export interface ContentPaths {
  readonly secrets: readonly ContentPath[];
  readonly binds: readonly ContentPath[];
}

/** Files that are mounted here are secrets, as Compose has it: they stay off the disk. */
const SECRETS_DIRECTORY = /^\/(var\/)?run\/secrets\//;

/**
 * Files of a spec whose content counts, paired with how they were written. Both specs have the same shape.
 * @param follows the manifest says for the container what a change of a file leads to
 */
export function contentPaths(written: ContainerSpec, absolute: ContainerSpec, follows = false): ContentPaths {
  const { onChange } = absolute;
  const file = (type: 'env-file' | 'secret', path: string, as: string, field: string): ContentPath => ({
    type,
    follows,
    written: as,
    path,
    field,
    reaction: onChange,
    maxBytes: MAX_CONTENT_BYTES,
  });
  const secrets = absolute.envFile.map((path, index) =>
    file('env-file', path, written.envFile[index] ?? path, `envFile.${index}`),
  );
  for (const [name, value] of Object.entries(absolute.env)) {
    const original = written.env[name];
    if (typeof value === 'object' && typeof original === 'object') {
      secrets.push(file('secret', value.fromFile, original.fromFile, `env.${name}`));
    }
  }
  const binds: ContentPath[] = [];
  for (const [index, mount] of absolute.volumes.entries()) {
    if (mount.type !== 'bind' || !mount.readOnly || mount.source === null || mount.watch === false) continue;
    binds.push({
      type: mount.secret === true || SECRETS_DIRECTORY.test(mount.target) ? 'secret' : 'bind',
      follows: follows || mount.onChange !== undefined,
      written: written.volumes[index]?.source ?? mount.source,
      path: mount.source,
      field: `volumes.${index}`,
      reaction: mount.onChange ?? onChange,
      maxBytes: mount.watch ? MAX_WATCHED_BYTES : MAX_CONTENT_BYTES,
    });
  }
  const profile = profilePath(absolute);
  if (profile !== null) {
    binds.push({
      ...file('env-file', profile, written.seccomp ?? profile, 'seccomp'),
      type: 'bind',
      // A running process keeps the filter that it has.
      reaction: onChange === 'ignore' || onChange === 'recreate' ? onChange : 'restart',
    });
  }
  return { secrets, binds };
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

const STRENGTH: readonly string[] = ['recreate', 'restart'];

/** Of two reactions to one file, the one that does more. */
function stronger(a: ContentReaction | undefined, b: ContentReaction): ContentReaction {
  if (a === undefined) return b;
  return STRENGTH.find((reaction) => reaction === a || reaction === b) === b ? b : a;
}

/** What the files would lead to when they changed, by path as written. */
export function contentReactions({ secrets, binds }: ContentPaths): Record<string, ContentReaction> {
  const reactions: Record<string, ContentReaction> = {};
  for (const { written, reaction } of [...binds, ...secrets]) {
    if (reaction !== 'ignore') reactions[written] = stronger(reactions[written], reaction);
  }
  return reactions;
}

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
  const hashes: Record<string, string> = {};
  const files: Record<string, FileCopy> = {};
  const inputs: string[] = [];
  const problems: ContentProblem[] = [];
  const changed: string[] = [];
  /** True when what it is pinned to stands for the file. */
  const isPinned = (path: ContentPath, read: ReadResult, hash: Hash): boolean => {
    const pinned = pinning.pinnedTo(path);
    if (pinned === null) return false;
    const { written } = path;
    if (pinned.hash !== undefined) hashes[written] = pinned.hash;
    if (pinned.copy !== undefined) files[written] = pinned.copy;
    const isSame = (bytes: Buffer): boolean =>
      pinned.hash === undefined ||
      hash(bytes) === pinned.hash ||
      // Earlier versions kept the plain hash of mounted secrets.
      (path.type === 'secret' && plainHash(bytes) === pinned.hash);
    const same = read.ok ? isSame(read.bytes) : countsAsBefore(read);
    if (!same) changed.push(written);
    inputs.push(path.path);
    return true;
  };
  const take = (path: ContentPath, read: Extract<ReadResult, { ok: true }>): void => {
    const copy = copyOf(path, read);
    if (copy !== undefined && pinning.take(copy, read.bytes)) files[path.written] = copy;
  };
  const asBefore = (path: ContentPath, hash: string): void => {
    hashes[path.written] = hash;
    const copy = pinning.before(path);
    if (copy !== undefined) files[path.written] = copy;
  };
  /** As long as a mounted secret is what it was under an earlier version, its plain hash stays: nothing restarts for it. */
  const hashOf = ({ type, written }: ContentPath): Hash => {
    if (type !== 'secret') return plainHash;
    return (bytes) => {
      const plain = plainHash(bytes);
      return last[written] === plain ? plain : hasher.hashSecret(bytes);
    };
  };
  const readSettings = hasher.readSettings ?? hasher.readFile;
  for (const path of paths.binds) {
    if (path.reaction === 'ignore') continue;
    const { written, field, maxBytes } = path;
    const read = (isObeyed(path) ? readSettings : hasher.readFile)(path.path, maxBytes);
    if (isPinned(path, read, hashOf(path))) continue;
    const unanswered = countsAsBefore(read);
    const before = unanswered ? last[written] : undefined;
    if (read.ok) {
      hashes[written] = hashOf(path)(read.bytes);
      take(path, read);
    } else if (before !== undefined) asBefore(path, before);
    else if (maxBytes > MAX_CONTENT_BYTES && read.reason !== 'missing') problems.push({ field, message: read.message });
    if (read.ok || read.reason === 'missing' || unanswered) inputs.push(path.path);
  }
  for (const path of paths.secrets) {
    const { written, reaction } = path;
    const read = readSettings(path.path);
    if (reaction !== 'ignore' && isPinned(path, read, hasher.hashSecret)) continue;
    const before = countsAsBefore(read) ? last[written] : undefined;
    if (read.ok && reaction !== 'ignore') {
      hashes[written] = hasher.hashSecret(read.bytes);
      take(path, read);
    } else if (before !== undefined) asBefore(path, before);
    inputs.push(path.path);
  }
  return { hashes, reactions: contentReactions(paths), inputs, problems, files, changed };
}
