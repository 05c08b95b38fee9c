/** What manifests come to: those that count, with their build contexts, as a desired state. Changes nothing. */
import { BuildContexts } from '../manifest/build-contexts.ts';
import {
  declaredBuilds,
  declaredFiles,
  desiredState,
  ParseCache,
  type Resolution,
  type ResolveOptions,
  type SourceRevision,
} from '../manifest/desired-state.ts';
import type { DesiredState } from '../model/desired.ts';
import type { History } from '../state/history/history.ts';
import { stateOfGeneration } from './generation-record.ts';
import { bySourceId, type SourceMap, storedSource } from './source.ts';
import { pinsThatHold, withPins } from './source-pins.ts';
import { allSources, ownerIn, type StandingSources } from './standing-sources.ts';

function revisionsOf(effective: SourceMap, { good }: StandingSources): SourceRevision[] {
  return [...effective].map(([id, { origin, baseDir, content }]) => ({
    sourceId: id,
    file: origin,
    baseDir,
    content,
    lastGood: good.get(id) ?? null,
  }));
}

/** Apps that were accepted once and of which nothing can be used now: what runs of them is left alone. */
function untouchedApps(standing: StandingSources, effective: SourceMap, { sources }: Resolution): ReadonlySet<string> {
  const ownerOf = ownerIn(standing);
  const ids = [...sources].flatMap(([id, { using }]) => (using === 'none' ? [id] : []));
  return new Set(
    ids
      .filter((id) => effective.has(id) && standing.good.has(id))
      .map(ownerOf)
      .sort(),
  );
}

export interface SourceResolverOptions extends Omit<ResolveOptions, 'generation' | 'contexts'> {
  /** Waits, not long, until the filesystems of these files have answered. */
  settle(paths: readonly string[]): Promise<unknown>;
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
    const sources = allSources(standing);
    return withPins(sources, pinsThatHold(standing.pins, sources), (n) => this.ofGeneration(n));
  }

  /** The manifests that a generation was made of. */
  ofGeneration(n: number): SourceMap {
    return bySourceId(this.#history.sources.ofGeneration(n).map(storedSource));
  }

  /** Reads the build contexts, in small steps, and lets filesystems answer. What is resolved next is as of now. */
  async look(standing: StandingSources): Promise<void> {
    const revisions = revisionsOf(this.effective(standing), standing);
    await this.#contexts.look(declaredBuilds(revisions, this.#options, this.#cache));
    await this.#options.settle(declaredFiles(revisions, this.#options, this.#cache));
  }

  resolve(standing: StandingSources, generation: number): Resolution {
    const effective = this.effective(standing);
    const options = { ...this.#options, contexts: this.#contexts, generation };
    const resolution = desiredState(revisionsOf(effective, standing), options, this.#cache);
    const untouched = untouchedApps(standing, effective, resolution);
    const held = Object.entries(pinsThatHold(standing.pins, allSources(standing))).map(
      ([app, { reason, generation: at, failed = false, container, hint }]) =>
        [app, { reason, failed, container, hint, generation: at }] as const,
    );
    const state = {
      ...resolution.state,
      ...(untouched.size > 0 && { untouched }),
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
