/** What manifests come to: those that count, with their build contexts, as a desired state. Changes nothing. */
import { BuildContexts } from '../manifest/build-contexts.ts';
import {
  declaredBuilds,
  declaredFiles,
  desiredState,
  type Resolution,
  type ResolveOptions,
  type SourceRevision,
} from '../manifest/desired-state.ts';
import { ParseCache, parser } from '../manifest/parse-cache.ts';
import { presentDigest } from '../manifest/present-hashes.ts';
import type { Contents } from '../model/contents.ts';
import type { DesiredState } from '../model/desired.ts';
import type { History } from '../state/history/history.ts';
import { stateOfGeneration } from './generation-record.ts';
import { bySourceId, type Source, type SourceMap, sourceId, storedSource } from './source.ts';
import { type AppPins, pinsThatHold, withPins } from './source-pins.ts';
import { allSources, ownerIn, type StandingSources } from './standing-sources.ts';

function revisionsOf(effective: SourceMap, { good }: StandingSources): SourceRevision[] {
  return [...effective].map(([id, { origin, baseDir, content, pinned }]) => ({
    sourceId: id,
    file: origin,
    baseDir,
    content,
    lastGood: good.get(id) ?? null,
    pinned,
  }));
}

/** Apps that were accepted once and of which nothing can be used now: what runs of them is left alone. */
function untouchedApps(standing: StandingSources, effective: SourceMap, { sources }: Resolution): ReadonlySet<string> {
  const ownerOf = ownerIn(standing);
  const ids = [...sources].flatMap(([id, { using }]) => (using === 'none' ? [id] : []));
  const unusable = ids.filter((id) => effective.has(id) && standing.good.has(id)).map(ownerOf);
  return new Set([...unusable, ...uncertain(standing, sources).keys()].sort());
}

/** Apps that wait until it is certain how they are declared, with why. One that a source declares does not wait any more. */
function uncertain({ holds }: StandingSources, sources: Resolution['sources']): ReadonlyMap<string, string> {
  if (holds.size === 0) return new Map();
  const declared = new Set([...sources.values()].flatMap(({ app, using }) => (using === 'none' ? [] : [app])));
  return new Map([...holds].flatMap(([app, { reason }]) => (declared.has(app) ? [] : [[app, reason] as const])));
}

export interface SourceResolverOptions extends Omit<ResolveOptions, 'generation' | 'contexts'> {
  /** What the files of a generation held; null where that is not kept. */
  contentsOf(generation: number): Contents | null;
  /** Waits, not long, until the filesystems of these files have answered. */
  settle(paths: readonly string[]): Promise<unknown>;
  /** Manifests were read and checked, which took so long in one stretch. */
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

  /** The manifests that count. */
  effective(standing: StandingSources): SourceMap {
    const all = withPins(allSources(standing), this.pinsThatHold(standing), (n) => this.ofGeneration(n));
    const waiting = this.waiting(standing);
    return waiting.size === 0 ? all : new Map([...all].filter(([id]) => !waiting.has(id)));
  }

  /** Files of the watched directory that do not count yet, by id, with their app: it waits for a person. */
  waiting(standing: StandingSources): ReadonlyMap<string, string> {
    const strict = new Set([...standing.holds.values()].flatMap(({ app, strict: is }) => (is ? [app] : [])));
    if (strict.size === 0) return new Map();
    return new Map(
      [...standing.watched].flatMap(([id, source]) => {
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

  /** Those of the pins that hold with the manifests and files as they are. */
  pinsThatHold(standing: StandingSources): AppPins {
    return pinsThatHold(standing.pins, allSources(standing), (source) => this.digestOf(source));
  }

  /** The manifests that a generation was made of, pinned to what their files held then as far as that is kept. */
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

  /** A hash over what those files of a source hold that count as they are at any time. */
  digestOf(source: Source): string {
    return this.#present(source)?.digest ?? '';
  }

  /** Files of the manifests that pins hold back: a change of one of them ends its pin. */
  heldInputs(standing: StandingSources): string[] {
    return this.#heldBack(standing).flatMap((source) => this.#present(source)?.inputs ?? []);
  }

  #heldBack(standing: StandingSources): Source[] {
    const all = allSources(standing);
    const held = Object.values(this.pinsThatHold(standing)).flatMap(({ sources }) => sources);
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

  /** Reads the build contexts, in small steps, and lets filesystems answer. What is resolved next is as of now. */
  async look(standing: StandingSources): Promise<void> {
    const heldBack = bySourceId(this.#heldBack(standing));
    const revisions = [...revisionsOf(this.effective(standing), standing), ...revisionsOf(heldBack, standing)];
    await this.#contexts.look(declaredBuilds(revisions, this.#options, this.#cache));
    await this.#options.settle(declaredFiles(revisions, this.#options, this.#cache));
  }

  resolve(standing: StandingSources, generation: number): Resolution {
    const begun = performance.now();
    try {
      return this.#resolve(standing, generation);
    } finally {
      this.#options.onRead?.(performance.now() - begun);
    }
  }

  #resolve(standing: StandingSources, generation: number): Resolution {
    const effective = this.effective(standing);
    const options = { ...this.#options, contexts: this.#contexts, generation };
    const pins = this.pinsThatHold(standing);
    const resolution = desiredState(revisionsOf(effective, standing), options, this.#cache);
    const untouched = untouchedApps(standing, effective, resolution);
    const waits = uncertain(standing, resolution.sources);
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

  /** The desired state of a generation, from what is stored of it. Null when it is not kept. */
  stateOf(n: number): DesiredState | null {
    return stateOfGeneration(this.#history, { ...this.#options, contexts: this.#contexts }, n);
  }

  /** Ends the look that goes on. */
  close(): void {
    this.#contexts.close();
  }
}
