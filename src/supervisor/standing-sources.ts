/** The manifests as they stand. Immutable: a change of them that cannot be written down has not happened. */
import type { ManifestInput } from '../api/supervisor.ts';
import type { GoodRevision, SourceOutcome } from '../manifest/desired-state.ts';
import { appNameOf } from '../manifest/parse.ts';
import type { GenerationPins } from '../state/history/generation-store.ts';
import type { History } from '../state/history/history.ts';
import type { SourceText } from '../state/history/source-store.ts';
import { originOf, type Source, type SourceMap, sourceId, storedSource } from './source.ts';
import { type AppPins, heldBackSources } from './source-pins.ts';

/** A change that takes several manifests away at once and looks like an accident (DESIGN §13.10). */
export interface HeldRemoval {
  readonly directory: string;
  readonly message: string;
}

export interface StandingSources {
  readonly applied: SourceMap;
  readonly watched: SourceMap;
  /** Watched manifests of the last generation, until the directory has been looked at. */
  readonly remembered: SourceMap;
  readonly held: HeldRemoval | null;
  /** The revisions in use, by the id of their source. */
  readonly good: ReadonlyMap<string, GoodRevision>;
  /** The app that a source declared when it was last good. */
  readonly owners: ReadonlyMap<string, string>;
  readonly pins: AppPins;
}

/** All of them, whether they count or not. */
export function allSources({ remembered, watched, applied }: StandingSources): SourceMap {
  return new Map([...remembered, ...watched, ...applied]);
}

/** The app of a source. @param past apps of sources that stand no more */
export function ownerIn(
  { owners }: StandingSources,
  past: Readonly<Record<string, string>> = {},
): (id: string) => string {
  return (id) => owners.get(id) ?? past[id] ?? ownerByName(id);
}

/** For a source that never said which app it is. */
function ownerByName(id: string): string {
  const origin = originOf(id);
  return appNameOf(origin) ?? origin;
}

/** The applied manifests with others of some origins, and without those of others. */
export function withInputs(
  { applied }: StandingSources,
  inputs: readonly ManifestInput[],
  gone: readonly string[] = [],
): SourceMap {
  const sources = inputs.map(({ file, baseDir, text }): Source => {
    return { kind: 'applied', origin: file, baseDir, content: { ok: true, text } };
  });
  return new Map([
    ...[...applied].filter(([, { origin }]) => !gone.includes(origin)),
    ...sources.map((source) => [sourceId(source), source] as const),
  ]);
}

/** As {@link withInputs}, and with the text of given files of the watched directory in the place of theirs. */
export function withTried(
  standing: StandingSources,
  inputs: readonly ManifestInput[],
  gone: readonly string[] = [],
): StandingSources {
  const all = allSources(standing);
  const watched = new Map(standing.watched);
  const others = inputs.filter(({ file, text }) => {
    const id = sourceId({ kind: 'watched', origin: file });
    const source = all.get(id);
    if (source) watched.set(id, { ...source, content: { ok: true, text } });
    return !source;
  });
  return { ...standing, watched, applied: withInputs(standing, others, gone) };
}

/** The sources with the revisions that are in use now; `changed` says whether any of these is new. @param effective those that count */
export function accept(
  standing: StandingSources,
  effective: SourceMap,
  outcomes: ReadonlyMap<string, SourceOutcome>,
): { readonly standing: StandingSources; readonly changed: boolean } {
  const good = new Map<string, GoodRevision>();
  const owners = new Map(standing.owners);
  let changed = standing.good.size !== effective.size;
  for (const [id, outcome] of outcomes) {
    const content = effective.get(id)?.content;
    const previous = standing.good.get(id);
    const current =
      outcome.using === 'current' && content?.ok
        ? { text: content.text, contentHashes: outcome.contentHashes }
        : previous;
    if (current) good.set(id, current);
    if (current && outcome.app !== null) owners.set(id, outcome.app);
    if (current?.text !== previous?.text) changed = true;
  }
  return { standing: { ...standing, good, owners }, changed };
}

/** The texts in use, with the hashes of what they refer to. @param effective the sources that count */
export function textsInUse(
  { good }: StandingSources,
  effective: SourceMap,
): { readonly texts: SourceText[]; readonly content: GenerationPins['content'] } {
  const content: Record<string, Readonly<Record<string, string>>> = {};
  const texts = [...effective].flatMap(([id, { kind, origin, baseDir }]) => {
    const revision = good.get(id);
    if (!revision) return [];
    content[id] = revision.contentHashes;
    return [{ kind, origin, baseDir, text: revision.text }];
  });
  return { texts, content };
}

/** As the last generation left them. */
export function restoreSources({ generations, sources }: History): StandingSources {
  const current = generations.current();
  const pins = Object.fromEntries(
    Object.entries(current?.pins.apps ?? {}).filter(([, pin]) => generations.get(pin.generation) !== null),
  );
  const texts = current ? sources.ofGeneration(current.n) : [];
  const pinned = new Set(Object.values(pins).flatMap((pin) => pin.sources.map(sourceId)));
  const present = [
    ...heldBackSources(pins),
    ...texts.filter((text) => !pinned.has(sourceId(text))).map((text) => storedSource(text)),
  ].map((source) => [sourceId(source), source] as const);
  return {
    applied: new Map(present.filter(([, { kind }]) => kind !== 'watched')),
    watched: new Map(),
    remembered: new Map(present.filter(([, { kind }]) => kind === 'watched')),
    held: null,
    good: new Map(
      texts.map((text) => {
        const id = sourceId(text);
        return [id, { text: text.text, contentHashes: current?.pins.content[id] ?? {} }];
      }),
    ),
    owners: new Map(Object.entries(current?.pins.owners ?? {})),
    pins,
  };
}
