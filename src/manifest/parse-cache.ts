/** Texts of manifests, what they mean, and the files that they were read with. */
import { createHash } from 'node:crypto';
import { copyName, type FileCopy, parseCopyName, type SourceContents } from '../model/contents.ts';
import { toTsdError } from '../model/errors/errors.ts';
import { countsAsBefore, MAX_CONTENT_BYTES, type ReadFile, type ReadResult } from './content.ts';
import type { ManifestIssue } from './issue.ts';
import { appNameOf, type ManifestText, type ParsedManifest, parseManifest } from './parse.ts';
import type { PinnedContents } from './resolve/universe.ts';

/** Where a text comes from. */
interface TextSource {
  /** Stable over edits: where the manifest lives. */
  readonly sourceId: string;
  /** As shown in positions; its stem names the app unless the text does. */
  readonly file: string;
  /** Relative paths start here. Absolute. */
  readonly baseDir: string;
  /** What its files held at an earlier time, where that stands for what they hold now. */
  readonly pinned?: PinnedContents | undefined;
}

/** How files are read, and the copies that stand for some. */
export interface WithReader {
  readonly readFile: ReadFile;
  /** The same for a source, which obeys the files; left out, {@link readFile}. */
  readonly readerFor?: ((sourceId: string) => ReadFile) | undefined;
  /** What a copy of a file holds; throws where it is gone. */
  readonly readCopy?: ((name: string) => Buffer) | undefined;
}

interface KnownParse {
  readonly file: string;
  readonly text: string;
  readonly parsed: ParsedManifest;
  /** Content of the files that the text was read with, by path. */
  readonly read: ReadonlyMap<string, ReadResult>;
}

function sameContent(a: ReadResult, b: ReadResult): boolean {
  return a.ok && b.ok ? a.bytes.equals(b.bytes) : a.ok === b.ok;
}

function parseSource({ file, baseDir }: TextSource, text: string, readFile: ReadFile): KnownParse {
  const read = new Map<string, ReadResult>();
  const recording: ReadFile = (path) => {
    const result = readFile(path);
    read.set(path, result);
    return result;
  };
  const parsed = parsedOrDefect({ text, file, appDefault: appNameOf(file), reach: { baseDir, readFile: recording } });
  return { file, text, parsed, read };
}

/** The issue for a file that causes a defect. */
export function defectIssue(file: string, error: unknown): ManifestIssue {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const message = `this file cannot be read because of a defect in tsdocker: ${what}`;
  return { code: 'TSD_BUG', message, position: { file, line: 1, column: 1 } };
}

/** A defect that one file brings out concerns that file; the others are taken over. */
function parsedOrDefect(input: ManifestText): ParsedManifest {
  try {
    return parseManifest(input);
  } catch (error) {
    return { app: null, issues: [defectIssue(input.file, error)], translation: null };
  }
}

/** The files that a manifest's text was read with. */
const readWith = new WeakMap<ParsedManifest, KnownParse['read']>();

/** Remembers what unchanged texts mean, between resolutions. */
export class ParseCache {
  #known = new Map<string, KnownParse[]>();
  #used = new Map<string, KnownParse[]>();

  parse(source: TextSource, text: string, readFile: ReadFile): ParsedManifest {
    const { sourceId } = source;
    const used = this.#used.get(sourceId) ?? [];
    const before = [...used, ...(this.#known.get(sourceId) ?? [])].find(
      (entry) =>
        entry.text === text &&
        entry.file === source.file &&
        [...entry.read].every(([path, result]) => sameContent(readFile(path), result)),
    );
    const entry = before ?? parseSource(source, text, readFile);
    if (!used.includes(entry)) this.#used.set(sourceId, [...used, entry]);
    readWith.set(entry.parsed, entry.read);
    return entry.parsed;
  }

  /** Forgets what was not asked for since the last turn. */
  turn(): void {
    this.#known = this.#used;
    this.#used = new Map();
  }
}

export type Parse = (source: TextSource, text: string) => ParsedManifest;

/** Importers say of a file that cannot be read its message alone. */
function withHint(readFile: ReadFile): ReadFile {
  return (path, maxBytes) => {
    const read = readFile(path, maxBytes);
    return read.ok || read.hint === undefined ? read : { ...read, message: `${read.message}. ${read.hint}` };
  };
}

/** Reads what a pinned text was read with, and other files as they are. */
function pinnedReader({ sourceId, pinned }: TextSource, options: WithReader): ReadFile {
  const { readCopy } = options;
  const readFile = withHint(options.readerFor?.(sourceId) ?? options.readFile);
  const reads = pinned?.contents.reads;
  if (reads === undefined || Object.keys(reads).length === 0) return readFile;
  return (path, maxBytes) => {
    const copy = Object.hasOwn(reads, path) ? reads[path] : undefined;
    if (copy === null) return { ok: false, reason: 'missing', message: `${path}: no such file` };
    const owner = copy === undefined ? null : parseCopyName(copy.name);
    if (copy === undefined || owner === null || readCopy === undefined) return readFile(path, maxBytes);
    try {
      return { ok: true, bytes: readCopy(copy.name), owner };
    } catch (thrown) {
      return { ok: false, reason: 'unreadable', message: `${path}: ${toTsdError(thrown).message}` };
    }
  };
}

/** Parses texts, each with its pinned files. */
export function parser(options: WithReader, cache: ParseCache): Parse {
  return (source, text) => cache.parse(source, text, pinnedReader(source, options));
}

/** Copies of the files that a text was read with, and those of them that hold something else now. */
export function contentOfReads(
  { pinned }: TextSource,
  parsed: ParsedManifest | null,
  readFile: ReadFile,
  copies: Map<string, Buffer>,
): { readonly reads: SourceContents['reads']; readonly changed: readonly string[] } {
  const reads: Record<string, FileCopy | null> = {};
  const changed: string[] = [];
  for (const [path, result] of (parsed && readWith.get(parsed)) ?? []) {
    if (result.ok && result.owner !== undefined && result.bytes.length <= MAX_CONTENT_BYTES) {
      const sha256 = createHash('sha256').update(result.bytes).digest('hex');
      const copy = { name: copyName(sha256, result.owner), bytes: result.bytes.length };
      reads[path] = copy;
      copies.set(copy.name, result.bytes);
    } else if (!result.ok && result.reason === 'missing') reads[path] = null;
    const now = pinned === undefined ? result : readFile(path);
    if (!countsAsBefore(now) && !sameContent(result, now)) changed.push(path);
  }
  return { reads, changed };
}
