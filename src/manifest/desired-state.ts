/**
 * From the sources to one DesiredState. A static error freezes only its source at the last good revision;
 * of two sources that claim the same thing, the one that changed gives way, and both when both changed.
 */
import type { SourceContents } from '../model/contents.ts';
import type { DesiredState, SpecOfKind } from '../model/desired.ts';
import { bindSources, filesReadAtStart } from '../model/host-files.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { BuildSource } from './build-context.ts';
import { BuildContexts } from './build-contexts.ts';
import type { FileContent, ReadFile, ReadResult } from './content.ts';
import type { ContentHasher } from './content-hash.ts';
import type { ImportWarning } from './importers/draft.ts';
import { boundedIssues, compareIssues, type ManifestIssue } from './issue.ts';
import type { ParsedManifest } from './parse.ts';
import { contentOfReads, defectIssue, type Parse, ParseCache, parser, type WithReader } from './parse-cache.ts';
import { type Build, buildAll } from './resolve/build.ts';
import type { KnownNetworkDrivers } from './resolve/network-fields.ts';
import { withAbsolutePaths } from './resolve/paths.ts';
import type { OnOtherApp } from './resolve/references.ts';
import type { Candidate, Finding, PinnedContents } from './resolve/universe.ts';

/** A revision that was accepted, as the supervisor stored it. */
export interface GoodRevision {
  readonly text: string;
  /** {@link SourceOutcome.contentHashes} of its acceptance. */
  readonly contentHashes: Readonly<Record<string, string>>;
  /** {@link SourceOutcome.contents} of its acceptance. Left out, they are not known. */
  readonly contents?: SourceContents;
}

/** One manifest as it is now. */
export interface SourceRevision {
  /** Stable over edits: where the manifest lives. */
  readonly sourceId: string;
  /** As shown in positions; its stem names the app unless the text does. */
  readonly file: string;
  /** Relative paths start here. Absolute. */
  readonly baseDir: string;
  /** The text now, or why there is none. */
  readonly content: FileContent;
  readonly lastGood: GoodRevision | null;
  /** What its files held at an earlier time, where that stands for what they hold now. */
  readonly pinned?: PinnedContents | undefined;
}

export interface SourceOutcome {
  /** `rejected`: the revision has issues and the state is without it. */
  readonly status: 'ok' | 'rejected';
  /**
   * What the state holds of this source. `none` although there was a good revision means that it cannot be used any more
   * (a newer schema): what runs of it must be left alone until the source is ok.
   */
  readonly using: 'current' | 'last-good' | 'none';
  readonly app: string | null;
  readonly issues: readonly ManifestIssue[];
  /** What a file in a format of others says and the state does not. */
  readonly warnings: readonly ImportWarning[];
  /** To be stored with the text when `using` is current. By path as written. */
  readonly contentHashes: Readonly<Record<string, string>>;
  /** What its files held, to be stored with the text too. */
  readonly contents: SourceContents;
  /** Files, as written, that are not any more what they are pinned to. */
  readonly changed: readonly string[];
  /** By resource, files as written whose changes count although the manifest is pinned. */
  readonly followed: Readonly<Record<ResourceKey, readonly string[]>>;
  /** Files outside the manifest whose change should lead to a new look, absolute. */
  readonly inputs: readonly string[];
}

export interface Resolution {
  readonly state: DesiredState;
  readonly sources: ReadonlyMap<string, SourceOutcome>;
  /** What the copies that {@link SourceOutcome.contents} names hold, of files that were read now; by name. */
  readonly copies: ReadonlyMap<string, Buffer>;
}

export interface ResolveOptions extends Omit<ContentHasher, 'readSettings'> {
  /** Reads files that the manifest of a source obeys; left out, as all others. */
  readonly readerFor?: ((sourceId: string) => ReadFile) | undefined;
  readonly generation: number;
  /** Where ports without an address are published: the supervisor's --ip. */
  readonly defaultHostIp: string;
  /** The drivers that networks can name. */
  readonly networkDrivers: KnownNetworkDrivers;
  /** What is known of build contexts; left out, they are read at once. */
  readonly contexts?: BuildContexts;
  readonly readCopy?: WithReader['readCopy'];
  /** Called, maybe more than once, for references into apps that no source declares; without it they are mistakes. */
  readonly onOtherApp?: OnOtherApp;
}

/** The state of one source while revisions are tried against each other. */
interface Trial {
  readonly source: SourceRevision;
  using: 'current' | 'last-good' | 'none';
  parsed: ParsedManifest | null;
  readonly issues: ManifestIssue[];
  /** Files that the revisions tried so far name: one of them may be what a rejected one waits for. */
  readonly inputs: Set<string>;
}

function unreadable(file: string, { message, refused }: Extract<FileContent, { ok: false }>): ManifestIssue {
  const position = { file, line: 1, column: 1 };
  return refused === undefined
    ? { code: 'TSD_MANIFEST_READ', message, position }
    : { code: 'TSD_UNTRUSTED', message, position, hint: refused };
}

function noteInputs({ parsed, inputs }: Trial, named: Iterable<string> = []): void {
  for (const path of [...named, ...(parsed?.translation?.inputs ?? [])]) inputs.add(path);
}

/** Falls back to the last good revision, or to nothing. */
function freeze(trial: Trial, parse: Parse): void {
  const { source } = trial;
  const parsed = trial.using === 'current' && source.lastGood ? parse(source, source.lastGood.text) : null;
  const usable = parsed?.app != null && parsed.issues.length === 0;
  noteInputs(trial);
  trial.using = usable ? 'last-good' : 'none';
  trial.parsed = usable ? parsed : null;
}

function firstTrial(source: SourceRevision, parse: Parse): Trial {
  if (!source.content.ok) {
    const trial: Trial = {
      source,
      using: 'current',
      parsed: null,
      issues: [unreadable(source.file, source.content)],
      inputs: new Set(),
    };
    freeze(trial, parse);
    return trial;
  }
  const parsed = parse(source, source.content.text);
  return { source, using: 'current', parsed, issues: [...parsed.issues], inputs: new Set() };
}

/** True when the source differs from its accepted revision, so that a clash with others may come from it. */
const isChange = ({ using, source }: Trial): boolean =>
  using === 'current' && !(source.content.ok && source.content.text === source.lastGood?.text);

/** Returns the sources to take back for a finding: its own source when that one changed or no other did. */
function yielding(found: Finding, trials: ReadonlyMap<string, Trial>): Trial[] {
  const own = trials.get(found.source);
  if (!own) return [];
  if (found.others.length === 0 || isChange(own)) return own.using === 'current' ? [own] : [];
  // Both sides of a clash or circle have a finding of their own.
  if (found.issue.code === 'TSD_MANIFEST_CONFLICT' || found.issue.code === 'TSD_MANIFEST_CYCLE') return [];
  return found.others.flatMap((id) => trials.get(id) ?? []).filter(isChange);
}

/** Why a source gives way for a finding in another one. */
function consequence(found: Finding, trial: Trial): ManifestIssue {
  if (found.source === trial.source.sourceId) return found.issue;
  const { file, line, column } = found.issue.position;
  const position = trial.parsed?.app?.position ?? { file: trial.source.file, line: 1, column: 1 };
  return {
    ...found.issue,
    message: `with this change, ${file}:${line}:${column} fails: ${found.issue.message}`,
    position,
  };
}

function candidateOf({ source, using, parsed }: Trial, { contexts }: ResolveOptions): Candidate[] {
  if (!parsed?.app) return [];
  const { sourceId, baseDir, content, lastGood, pinned = null } = source;
  const frozenHashes = using === 'last-good' ? (lastGood?.contentHashes ?? {}) : null;
  const unchanged = contexts !== undefined && content.ok && content.text === lastGood?.text;
  const earlierHashes = unchanged ? lastGood.contentHashes : {};
  const lastHashes = lastGood?.contentHashes ?? {};
  const lastContents = lastGood?.contents ?? null;
  return [{ sourceId, baseDir, app: parsed.app, frozenHashes, earlierHashes, lastHashes, lastContents, pinned }];
}

function buildOf(trials: Iterable<Trial>, options: ResolveOptions): Build {
  const candidates = [...trials].flatMap((trial) => candidateOf(trial, options));
  const { readerFor, defaultHostIp, networkDrivers, contexts = new BuildContexts(), onOtherApp } = options;
  return buildAll(candidates, { hasher: options, readerFor, defaultHostIp, networkDrivers, contexts, onOtherApp });
}

/** Returns the revisions that bring out a defect by themselves; where none does, those that are new. */
function broughtOutBy(trials: ReadonlyMap<string, Trial>, options: ResolveOptions): Trial[] {
  const alone = [...trials.values()].filter((trial) => {
    try {
      buildOf([trial], options);
      return false;
    } catch {
      return trial.using !== 'none';
    }
  });
  return alone.length > 0 ? alone : [...trials.values()].filter(isChange);
}

/**
 * A defect that one revision brings out takes back that revision; the others are taken over.
 *
 * @throws what the defect throws where no revision can be taken back for it
 */
function buildTrials(trials: ReadonlyMap<string, Trial>, options: ResolveOptions, parse: Parse): Build {
  for (;;) {
    try {
      const build = buildOf(trials.values(), options);
      for (const [id, trial] of trials) noteInputs(trial, build.inputs.get(id));
      return build;
    } catch (error) {
      const culprits = broughtOutBy(trials, options);
      if (culprits.length === 0) throw error;
      for (const trial of culprits) {
        trial.issues.push(defectIssue(trial.source.file, error));
        freeze(trial, parse);
      }
    }
  }
}

/**
 * Takes back the revisions that are wrong in themselves, before others are measured against them. Other mistakes of
 * their references and fields are reported too, unless broken syntax hides a part of the file.
 */
function takeBackBroken(trials: ReadonlyMap<string, Trial>, options: ResolveOptions, parse: Parse): void {
  const broken = new Map([...trials].filter(([, { using, issues }]) => using === 'current' && issues.length > 0));
  if (broken.size === 0) return;
  for (const found of buildTrials(trials, options, parse).findings) {
    const trial = broken.get(found.source);
    const readable = trial?.parsed?.issues.every(({ code }) => code !== 'TSD_MANIFEST_SYNTAX');
    if (readable && found.others.length === 0) trial?.issues.push(found.issue);
  }
  for (const trial of broken.values()) freeze(trial, parse);
}

/** Tries all revisions together and takes back those in the way, until the rest agrees. Each round takes back at least one. */
function settle(trials: ReadonlyMap<string, Trial>, options: ResolveOptions, parse: Parse): Build {
  takeBackBroken(trials, options, parse);
  for (;;) {
    const build = buildTrials(trials, options, parse);
    const giveWay = new Set<Trial>();
    for (const found of build.findings) {
      for (const trial of yielding(found, trials)) {
        giveWay.add(trial);
        trial.issues.push(consequence(found, trial));
      }
    }
    if (giveWay.size === 0) {
      for (const found of build.findings) trials.get(found.source)?.issues.push(found.issue);
      return build;
    }
    for (const trial of giveWay) freeze(trial, parse);
  }
}

/** Each file is read once for a whole resolution, so that hash and check see the same content. */
function readOnce(readFile: ReadFile): ReadFile {
  const known = new Map<string, ReadResult>();
  return (path, maxBytes) => {
    const key = `${maxBytes ?? ''} ${path}`;
    const before = known.get(key);
    if (before) return before;
    const result = readFile(path, maxBytes);
    known.set(key, result);
    return result;
  };
}

/** The same for the readers of sources. */
function readersOnce({ readerFor }: ResolveOptions): ResolveOptions['readerFor'] {
  if (readerFor === undefined) return undefined;
  const known = new Map<string, ReadFile>();
  return (id) => {
    const reader = known.get(id) ?? readOnce(readerFor(id));
    known.set(id, reader);
    return reader;
  };
}

function outcome(trial: Trial, build: Build, readFile: ReadFile, copies: Map<string, Buffer>): SourceOutcome {
  const { source, using, parsed, issues, inputs } = trial;
  const files = build.files.get(source.sourceId);
  const { reads, changed } = contentOfReads(source, parsed, readFile, copies);
  const app = parsed?.app?.app ?? null;
  const contentHashes: Record<string, string> = {};
  for (const desired of build.resources.values()) {
    if (using !== 'none' && desired.app === app) Object.assign(contentHashes, desired.contentHashes);
  }
  const unique = new Map(issues.map((issue) => [JSON.stringify(issue), issue]));
  return {
    status: issues.length === 0 ? 'ok' : 'rejected',
    using,
    app,
    issues: boundedIssues([...unique.values()].sort(compareIssues)),
    contentHashes,
    contents: { resources: files?.contents ?? {}, reads },
    changed: [...new Set([...(files?.changed ?? []), ...changed])].sort(),
    followed: files?.followed ?? {},
    warnings: boundedIssues(parsed?.translation?.warnings ?? []),
    inputs: [...inputs].sort(),
  };
}

/** The same sources, files and options give the same result, whatever the order of the sources. The result is frozen. */
export function desiredState(
  sources: readonly SourceRevision[],
  options: ResolveOptions,
  cache: ParseCache = new ParseCache(),
): Resolution {
  const ordered = [...sources].sort((a, b) => (a.sourceId < b.sourceId ? -1 : 1));
  const readFile = readOnce(options.readFile);
  const readerFor = readersOnce(options);
  const reading = { ...options, readFile, readerFor };
  const parse = parser(reading, cache);
  const trials = new Map(ordered.map((source) => [source.sourceId, firstTrial(source, parse)]));
  const build = settle(trials, reading, parse);
  const copies = new Map(build.copies);
  const outcomes = [...trials].map(
    ([id, trial]) => [id, outcome(trial, build, readerFor?.(id) ?? readFile, copies)] as const,
  );
  cache.turn();
  return {
    state: Object.freeze({ generation: options.generation, resources: build.resources }),
    sources: new Map(outcomes),
    copies,
  };
}

/** What revisions declare of a kind as they are written now, with absolute paths. */
function declaredSpecs<K extends 'image' | 'container'>(
  kind: K,
  sources: readonly SourceRevision[],
  options: WithReader,
  cache: ParseCache,
): SpecOfKind[K][] {
  const parse = parser(options, cache);
  return sources.flatMap((source) => {
    if (!source.content.ok) return [];
    const { app } = parse(source, source.content.text);
    return (app?.resources ?? []).flatMap((resource) =>
      resource.kind === kind && resource.spec !== null
        ? [withAbsolutePaths(kind, resource.spec as SpecOfKind[K], source.baseDir)]
        : [],
    );
  });
}

/** The builds that revisions declare as they are written now, with absolute paths. */
export function declaredBuilds(
  sources: readonly SourceRevision[],
  options: WithReader,
  cache: ParseCache,
): BuildSource[] {
  return declaredSpecs('image', sources, options, cache).flatMap(({ source }) =>
    source.type === 'build' ? [source] : [],
  );
}

/** Absolute paths of the files of the host that containers mount or are configured by, as revisions are written now. */
export function declaredFiles(sources: readonly SourceRevision[], options: WithReader, cache: ParseCache): string[] {
  return declaredSpecs('container', sources, options, cache).flatMap((spec) => [
    ...bindSources(spec),
    ...filesReadAtStart(spec),
  ]);
}
