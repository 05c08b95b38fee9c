/** Build contexts: what is in them is part of an image's declaration. */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, readlinkSync, readSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { Beneath, type FoundFile } from '../ffi/files/beneath.ts';
import { saysAbsent } from '../ffi/files/lookup.ts';
import { readDockerfile } from '../model/dockerfile/stages.ts';
import { usedImages } from '../model/dockerfile/used-images.ts';
import { TsdError, toTsdError } from '../model/errors/errors.ts';
import type { ImageSource } from '../model/kinds/image.ts';
import { goArchitecture, platformArgs } from '../model/platform.ts';
import { IGNORE_NOTHING, type IgnoreMatcher, ignoreFileNames, parseIgnoreFile } from '../model/text/ignore-file.ts';

export type BuildSource = Extract<ImageSource, { type: 'build' }>;

/** A declared context is read whole whenever a file of it may have changed; larger ones belong to `tsdocker build`. */
const MAX_CONTEXT_FILES = 20_000;
const MAX_CONTEXT_BYTES = 512 * 1024 ** 2;
const MAX_TEXT_BYTES = 1024 ** 2;
/** Read between two steps. */
const CHUNK_BYTES = 256 * 1024;
/** A file that changed this shortly before it was read may change again without another time of change. */
const RACY_NS = 100_000_000n;

export interface ContextContent {
  /** Null when there is a problem. */
  readonly hash: string | null;
  /** Absolute paths whose change leads to a new look; those of directories end with a slash. */
  readonly inputs: readonly string[];
  /** Names of the images that the Dockerfile uses; none where it cannot be read. */
  readonly images: readonly string[];
  readonly problem: string | null;
}

/** Work that can pause after each step, so that whoever drives it can let others continue. */
export type Steps<T> = Generator<void, T>;

export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
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
export function* readBuildContext(source: BuildSource): Steps<ContextContent> {
  const inputs: string[] = [];
  try {
    const hash = createHash('sha256');
    const directories = [source.context, ...Object.values(source.contexts).filter((where) => where.startsWith('/'))];
    for (const [index, path] of directories.entries()) {
      hash.update(`${yield* hashTree(path, index === 0 ? dockerfilePath(source) : null, inputs)}\n`);
    }
    const dockerfile = dockerfileText(source, inputs);
    hash.update(createHash('sha256').update(dockerfile).digest('hex'));
    return { hash: hash.digest('hex'), inputs, images: imagesOf(dockerfile, source), problem: null };
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown;
    return { hash: null, inputs: [`${source.context}/`, ...inputs], images: [], problem: thrown.message };
  }
}

/** Null where the declaration holds the text itself. */
const dockerfilePath = ({ dockerfile, dockerfileInline }: BuildSource): string | null =>
  dockerfileInline === undefined ? dockerfile : null;

/** The Dockerfile can appear outside of the context, or be left out of it. */
function dockerfileText({ context, dockerfile, dockerfileInline }: BuildSource, inputs: string[]): string {
  if (dockerfileInline !== undefined) return dockerfileInline;
  const path = isAbsolute(dockerfile) ? dockerfile : resolve(context, dockerfile);
  inputs.push(path);
  const directory = openDirectory(dirname(path), 'Dockerfile');
  try {
    const found = directory.resolve(Buffer.from(basename(path)).toString('latin1'));
    const text = found === null ? null : directory.readText(found, MAX_TEXT_BYTES);
    if (text === null) throw new Error(`Dockerfile ${path}: no such file, or larger than 1 MiB`);
    return text;
  } finally {
    directory.close();
  }
}

/** Mistakes in a Dockerfile are reported when it is built. */
function imagesOf(text: string, { dockerfile, args, target, contexts }: BuildSource): readonly string[] {
  const here = `linux/${goArchitecture(process.arch)}`;
  try {
    return usedImages(readDockerfile(text, dockerfile, args, platformArgs(here, here)), target, contexts);
  } catch (thrown) {
    if (thrown instanceof TsdError) return [];
    throw thrown;
  }
}

function openDirectory(path: string, what: string): Beneath {
  try {
    return Beneath.open(path);
  } catch (thrown) {
    const reason = saysAbsent(thrown) ? 'no such directory' : toTsdError(thrown).message;
    throw new Error(`${what} ${path}: ${reason}`, { cause: thrown });
  }
}

function* hashTree(path: string, dockerfile: string | null, inputs: string[]): Steps<string> {
  const files = openDirectory(path, 'build context');
  const before = knownFiles.get(path) ?? new Map<string, KnownFile>();
  const now = new Map<string, KnownFile>();
  try {
    const ignore = ignoreRules(files, path, dockerfile, inputs);
    const hash = createHash('sha256');
    const budget = { files: 0, bytes: 0n };
    const enter = (at: string): boolean => !ignore.ignores(text(at)) || ignore.mayHoldWanted(text(at));
    for (const found of files.walk('', enter)) {
      if (found === null) {
        yield;
        continue;
      }
      const isIgnored = found.path !== '' && ignore.ignores(text(found.path));
      if (isIgnored && !(found.stat.isDirectory() && ignore.mayHoldWanted(text(found.path)))) continue;
      spend(budget, found.stat, path);
      const absolute = join(path, text(found.path));
      inputs.push(found.stat.isDirectory() ? `${absolute.replace(/\/$/, '')}/` : absolute);
      if (!isIgnored) hash.update(`${JSON.stringify(yield* describe(files, found, before, now))}\n`);
      yield;
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
    if (first) throw new Error(`${join(path, name)}:${first.line}: ${first.message}`);
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

function* describe(
  files: Beneath,
  { path, stat, hostPath }: FoundFile,
  before: ReadonlyMap<string, KnownFile>,
  now: Map<string, KnownFile>,
): Steps<readonly (string | number)[]> {
  const kind = Number(stat.mode);
  if (stat.isSymbolicLink()) return [path, kind, readlinkSync(hostPath, { encoding: 'latin1' })];
  if (!stat.isFile()) return [path, kind];
  const signature = [stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].join(':');
  const known = before.get(path);
  const hash = known?.signature === signature ? known.hash : yield* hashFile(files, path);
  const isRacy = BigInt(Date.now()) * 1_000_000n - stat.ctimeNs < RACY_NS;
  if (known?.signature === signature || !isRacy) now.set(path, { signature, hash });
  return [path, kind, hash];
}

function* hashFile(files: Beneath, path: string): Steps<string> {
  const fd = files.openFile(path);
  // Its own: another context may be read between two steps.
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  try {
    const hash = createHash('sha256');
    for (let read = readSync(fd, chunk); read > 0; read = readSync(fd, chunk)) {
      hash.update(chunk.subarray(0, read));
      yield;
    }
    return hash.digest('hex');
  } finally {
    closeSync(fd);
  }
}
