/** Resolves the manifests in force, with their build contexts, to a desired state. Changes nothing. */
import { BuildContexts } from '../../manifest/build-contexts.ts';
import {
  declaredBuilds,
  declaredFiles,
  desiredState,
  type Resolution,
  type ResolveOptions,
  type SourceRevision,
} from '../../manifest/desired-state.ts';
import { ParseCache, parser } from '../../manifest/parse-cache.ts';
import { presentDigest } from '../../manifest/present-hashes.ts';
import type { Contents } from '../../model/contents.ts';
import type { DesiredState } from '../../model/desired.ts';
import type { History } from '../../state/history/history.ts';
import { stateOfGeneration } from './generation-record.ts';
import { bySourceId, type Source, type SourceMap, sourceId, storedSource } from './source.ts';
import { type AppPins, pinsThatHold, withPins } from './source-pins.ts';
import { allSources, ownerIn, type SourceSet } from './source-set.ts';

function revisionsOf(effective: SourceMap, { good }: SourceSet): SourceRevision[] {
  return [...effective].map(([id, { origin, baseDir, content, pinned }]) => ({
    sourceId: id,
    file: origin,
    baseDir,
    content,
    lastGood: good.get(id) ?? null,
    pinned,
  }));
}

/** Apps that were accepted once and whose manifests cannot be used now. Their containers are left as they are. */
function untouchedApps(set: SourceSet, effective: SourceMap, { sources }: Resolution): ReadonlySet<string> {
  const ownerOf = ownerIn(set);
  const ids = [...sources].flatMap(([id, { using }]) => (using === 'none' ? [id] : []));
  const unusable = ids.filter((id) => effective.has(id) && set.good.has(id)).map(ownerOf);
  return new Set([...unusable, ...uncertain(set, sources).keys()].sort());
}

/** Apps whose declaration is uncertain, with the reason. An app that a source declares is certain. */
function uncertain({ holds }: SourceSet, sources: Resolution['sources']): ReadonlyMap<string, string> {
  if (holds.size === 0) return new Map();
  const declared = new Set([...sources.values()].flatMap(({ app, using }) => (using === 'none' ? [] : [app])));
  return new Map([...holds].flatMap(([app, { reason }]) => (declared.has(app) ? [] : [[app, reason] as const])));
}

export interface SourceResolverOptions extends Omit<ResolveOptions, 'generation' | 'contexts'> {
  /** Returns the file contents of a generation; null when they are not kept. */
  contentsOf(generation: number): Contents | null;
  /** Waits a bounded time until the filesystems of these files have answered. */
  settle(paths: readonly string[]): Promise<unknown>;
  /** Called after manifests were read and checked, with the time this blocked the event loop. */
  readonly onRead?: (ms: number) => void;
}

export class SourceResolver {
  readonly #history: History;
  readonly #options: SourceResolverOptions;
  readonly #cache = new ParseCache();
  readonly #contexts = new BuildContexts();

  constructor(history: History, options: SourceResolverOptions) {
    this.#history = history;
    this.#options = options;
  }

  /** The manifests in force. */
  effective(set: SourceSet): SourceMap {
    const all = withPins(allSources(set), this.pinsThatHold(set), (n) => this.ofGeneration(n));
    const waiting = this.waiting(set);
    return waiting.size === 0 ? all : new Map([...all].filter(([id]) => !waiting.has(id)));
  }

  /** Files of the watched directory that are not in force, by id, with their app, which waits for approval. */
  waiting(set: SourceSet): ReadonlyMap<string, string> {
    const strict = new Set([...set.holds.values()].flatMap(({ app, strict: is }) => (is ? [app] : [])));
    if (strict.size === 0) return new Map();
    return new Map(
      [...set.watched].flatMap(([id, source]) => {
        const app = this.#appOf(source);
        return app !== null && strict.has(app) ? [[id, app] as const] : [];
      }),
    );
  }

  #appOf(source: Source): string | null {
    const { content, baseDir, pinned } = source;
    if (!content.ok) return null;
    const revision = { sourceId: sourceId(source), file: source.origin, baseDir, content, lastGood: null, pinned };
    return parser(this.#options, this.#cache)(revision, content.text).app?.app ?? null;
  }

  /** Returns the pins that still hold with the current manifests and files. */
  pinsThatHold(set: SourceSet): AppPins {
    return pinsThatHold(set.pins, allSources(set), (source) => this.digestOf(source));
  }

  /** Returns the manifests of a generation, pinned to the file contents of that time where these are kept. */
  ofGeneration(n: number): SourceMap {
    const contents = this.#options.contentsOf(n) ?? {};
    const hashes = this.#history.generations.get(n)?.pins.content ?? {};
    const sources = this.#history.sources.ofGeneration(n).map((text): Source => {
      const id = sourceId(text);
      const then = contents[id] ?? { resources: {}, reads: {} };
      return { ...storedSource(text), pinned: { generation: n, contents: then, held: true, hashes: hashes[id] ?? {} } };
    });
    return bySourceId(sources);
  }

  /** Returns a hash over the contents of those files of a source that are followed, not pinned. */
  digestOf(source: Source): string {
    return this.#present(source)?.digest ?? '';
  }

  /** Returns the files of pinned manifests: a change of one of them ends its pin. */
  heldInputs(set: SourceSet): string[] {
    return this.#heldBack(set).flatMap((source) => this.#present(source)?.inputs ?? []);
  }

  #heldBack(set: SourceSet): Source[] {
    const all = allSources(set);
    const held = Object.values(this.pinsThatHold(set)).flatMap(({ sources }) => sources);
    return held.flatMap((pin) => (pin.heldContents === undefined ? [] : (all.get(sourceId(pin)) ?? [])));
  }

  #present(source: Source) {
    const { content, baseDir, kind, pinned } = source;
    if (!content.ok) return null;
    const revision = { sourceId: sourceId(source), file: source.origin, baseDir, content, lastGood: null, pinned };
    const { app } = parser(this.#options, this.#cache)(revision, content.text);
    if (app === null) return null;
    const looked = { app, baseDir, pinned: kind === 'watched' ? undefined : pinned?.contents };
    return presentDigest(looked, this.#options, this.#contexts);
  }

  /** Reads the build contexts in small steps and waits for filesystems: the next resolution uses current contents. */
  async look(set: SourceSet): Promise<void> {
    const heldBack = bySourceId(this.#heldBack(set));
    const revisions = [...revisionsOf(this.effective(set), set), ...revisionsOf(heldBack, set)];
    await this.#contexts.look(declaredBuilds(revisions, this.#options, this.#cache));
    await this.#options.settle(declaredFiles(revisions, this.#options, this.#cache));
  }

  resolve(set: SourceSet, generation: number): Resolution {
    const begun = performance.now();
    try {
      return this.#resolve(set, generation);
    } finally {
      this.#options.onRead?.(performance.now() - begun);
    }
  }

  #resolve(set: SourceSet, generation: number): Resolution {
    const effective = this.effective(set);
    const options = { ...this.#options, contexts: this.#contexts, generation };
    const pins = this.pinsThatHold(set);
    const resolution = desiredState(revisionsOf(effective, set), options, this.#cache);
    const untouched = untouchedApps(set, effective, resolution);
    const waits = uncertain(set, resolution.sources);
    const held = Object.entries(pins).map(
      ([app, { reason, generation: at, failed = false, container, hint }]) =>
        [app, { reason, failed, container, hint, generation: at }] as const,
    );
    const state = {
      ...resolution.state,
      ...(untouched.size > 0 && { untouched }),
      ...(waits.size > 0 && { uncertain: waits }),
      ...(held.length > 0 && { heldBack: new Map(held) }),
    };
    return { ...resolution, state };
  }

  /** Returns the desired state of a stored generation; null when it is not kept. */
  stateOf(n: number): DesiredState | null {
    return stateOfGeneration(this.#history, { ...this.#options, contexts: this.#contexts }, n);
  }

  /** Ends the read in progress. */
  close(): void {
    this.#contexts.close();
  }
}
