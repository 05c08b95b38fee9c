/** Build contexts: what is in them is part of an image's declaration. */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, readlinkSync, readSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { Beneath, type FoundFile } from '../ffi/beneath.ts';
import { IGNORE_NOTHING, type IgnoreMatcher, ignoreFileNames, parseIgnoreFile } from '../model/ignore-file.ts';
import type { ImageSource } from '../model/kinds/image.ts';

type BuildSource = Extract<ImageSource, { type: 'build' }>;

/** A declared context is read whole whenever a file of it may have changed; larger ones belong to `tsdocker build`. */
export const MAX_CONTEXT_FILES = 20_000;
export const MAX_CONTEXT_BYTES = 512 * 1024 ** 2;
const MAX_TEXT_BYTES = 1024 ** 2;
const CHUNK_BYTES = 1024 ** 2;

export interface ContextContent {
  /** Null when there is a problem. */
  readonly hash: string | null;
  /** Absolute paths whose change leads to a new look; those of directories end with a slash. */
  readonly inputs: readonly string[];
  readonly problem: string | null;
}

interface KnownFile {
  readonly signature: string;
  readonly hash: string;
}

/** Hashes of files that did not change since, by context and path: a large file is read once. */
const knownFiles = new Map<string, Map<string, KnownFile>>();

/**
 * sha256 over names, modes and contents of what a build may see: the context without what its .dockerignore leaves out, the
 * Dockerfile, and further directories. Times and owners do not count.
 * @param source with absolute paths.
 */
export function readBuildContext(source: BuildSource): ContextContent {
  const inputs: string[] = [];
  try {
    const hash = createHash('sha256');
    const directories = [source.context, ...Object.values(source.contexts).filter((where) => where.startsWith('/'))];
    for (const [index, path] of directories.entries()) {
      hash.update(`${hashTree(path, index === 0 ? source.dockerfile : null, inputs)}\n`);
    }
    hash.update(hashDockerfile(source, inputs));
    return { hash: hash.digest('hex'), inputs, problem: null };
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown;
    return { hash: null, inputs: [`${source.context}/`, ...inputs], problem: thrown.message };
  }
}

/** The Dockerfile may stand outside of the context, or be left out of it. */
function hashDockerfile({ context, dockerfile }: BuildSource, inputs: string[]): string {
  const path = isAbsolute(dockerfile) ? dockerfile : resolve(context, dockerfile);
  inputs.push(path);
  const directory = openDirectory(dirname(path), 'Dockerfile');
  try {
    const found = directory.resolve(Buffer.from(basename(path)).toString('latin1'));
    const text = found === null ? null : directory.readText(found, MAX_TEXT_BYTES);
    if (text === null) throw new Error(`Dockerfile ${path}: no such file, or larger than 1 MiB`);
    return createHash('sha256').update(text).digest('hex');
  } finally {
    directory.close();
  }
}

function openDirectory(path: string, what: string): Beneath {
  try {
    return Beneath.open(path);
  } catch (thrown) {
    throw new Error(`${what} ${path}: no such directory`, { cause: thrown });
  }
}

function hashTree(path: string, dockerfile: string | null, inputs: string[]): string {
  const files = openDirectory(path, 'build context');
  const before = knownFiles.get(path) ?? new Map<string, KnownFile>();
  const now = new Map<string, KnownFile>();
  try {
    const ignore = ignoreRules(files, path, dockerfile, inputs);
    const hash = createHash('sha256');
    const budget = { files: 0, bytes: 0n };
    const enter = (at: string): boolean => !ignore.ignores(text(at)) || ignore.mayHoldWanted(text(at));
    for (const found of files.walk('', enter)) {
      const isIgnored = found.path !== '' && ignore.ignores(text(found.path));
      if (isIgnored && !(found.stat.isDirectory() && ignore.mayHoldWanted(text(found.path)))) continue;
      spend(budget, found.stat, path);
      const absolute = join(path, text(found.path));
      inputs.push(found.stat.isDirectory() ? `${absolute.replace(/\/$/, '')}/` : absolute);
      if (!isIgnored) hash.update(`${JSON.stringify(describe(files, found, before, now))}\n`);
    }
    knownFiles.set(path, now);
    return hash.digest('hex');
  } finally {
    files.close();
  }
}

const text = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

function ignoreRules(files: Beneath, path: string, dockerfile: string | null, inputs: string[]): IgnoreMatcher {
  for (const name of ignoreFileNames(dockerfile)) {
    const found = files.resolve(Buffer.from(name).toString('latin1'));
    const rules = found === null ? null : files.readText(found, MAX_TEXT_BYTES);
    if (rules === null) continue;
    inputs.push(join(path, name));
    const { matcher, problems } = parseIgnoreFile(rules);
    const [first] = problems;
    if (first) throw new Error(`${join(path, name)}:${first.line}: ${JSON.stringify(first.text)} is no pattern`);
    return matcher;
  }
  return IGNORE_NOTHING;
}

function spend(budget: { files: number; bytes: bigint }, stat: BigIntStats, path: string): void {
  budget.files += 1;
  if (stat.isFile()) budget.bytes += stat.size;
  const ignore = 'list what the build does not need in .dockerignore';
  if (budget.files > MAX_CONTEXT_FILES) {
    throw new Error(`build context ${path} has more than ${MAX_CONTEXT_FILES} files; ${ignore}`);
  }
  if (budget.bytes > BigInt(MAX_CONTEXT_BYTES)) {
    throw new Error(`build context ${path} holds more than ${MAX_CONTEXT_BYTES / 1024 ** 2} MiB; ${ignore}`);
  }
}

function describe(
  files: Beneath,
  { path, stat, hostPath }: FoundFile,
  before: ReadonlyMap<string, KnownFile>,
  now: Map<string, KnownFile>,
): readonly (string | number)[] {
  const kind = Number(stat.mode);
  if (stat.isSymbolicLink()) return [path, kind, readlinkSync(hostPath, { encoding: 'latin1' })];
  if (!stat.isFile()) return [path, kind];
  const signature = [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(':');
  const known = before.get(path);
  const hash = known?.signature === signature ? known.hash : hashFile(files, path);
  now.set(path, { signature, hash });
  return [path, kind, hash];
}

const chunk = Buffer.allocUnsafe(CHUNK_BYTES);

function hashFile(files: Beneath, path: string): string {
  const fd = files.openFile(path);
  try {
    const hash = createHash('sha256');
    for (let read = readSync(fd, chunk); read > 0; read = readSync(fd, chunk)) hash.update(chunk.subarray(0, read));
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}
