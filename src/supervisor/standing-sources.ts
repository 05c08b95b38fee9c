/** The manifests as they stand. Immutable: a change of them that cannot be written down has not happened. */
import type { ManifestInput } from '../api/supervisor.ts';
import type { GoodRevision, SourceOutcome } from '../manifest/desired-state.ts';
import { appNameOf } from '../manifest/parse.ts';
import { canonicalJson } from '../manifest/spec-hash.ts';
import type { Contents, SourceContents } from '../model/contents.ts';
import type { HeldApp } from '../state/declaration.ts';
import type { GenerationPins } from '../state/history/generation-store.ts';
import type { History } from '../state/history/history.ts';
import type { SourceText } from '../state/history/source-store.ts';
import { originOf, type Source, type SourceMap, sourceId, storedSource } from './source.ts';
import { type AppPins, heldBackSources } from './source-pins.ts';

/** A change that takes several manifests away at once and looks like an accident. */
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
  /** Apps whose declaration is not certain. */
  readonly holds: ReadonlyMap<string, HeldApp>;
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
export function ownerByName(id: string): string {
  const origin = originOf(id);
  return appNameOf(origin) ?? origin;
}

/** Inputs in the place of applied manifests. */
export interface Inputs {
  readonly inputs: readonly ManifestInput[];
  /** Origins of manifests that go. */
  readonly gone?: readonly string[];
  /** The inputs are parts of what was applied: their files count as they did. */
  readonly sameFiles?: boolean;
}

/** The applied manifests with others of some origins, and without those of others. */
export function withInputs(
  { applied }: StandingSources,
  { inputs, gone = [], sameFiles = false }: Inputs,
): Map<string, Source> {
  const sources = inputs.map(({ file, baseDir, text }): Source => {
    const pinned = sameFiles ? applied.get(sourceId({ kind: 'applied', origin: file }))?.pinned : undefined;
    return { kind: 'applied', origin: file, baseDir, content: { ok: true, text }, pinned };
  });
  return new Map([
    ...[...applied].filter(([, { origin }]) => !gone.includes(origin)),
    ...sources.map((source) => [sourceId(source), source] as const),
  ]);
}

/** As {@link withInputs}, and with the text of given files of the watched directory in the place of theirs. */
export function withTried(standing: StandingSources, tried: Inputs): StandingSources {
  const all = allSources(standing);
  const watched = new Map(standing.watched);
  const others = tried.inputs.filter(({ file, text }) => {
    const id = sourceId({ kind: 'watched', origin: file });
    const source = all.get(id);
    if (source) watched.set(id, { ...source, content: { ok: true, text } });
    return !source;
  });
  return { ...standing, watched, applied: withInputs(standing, { ...tried, inputs: others }) };
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
        ? { text: content.text, contentHashes: outcome.contentHashes, contents: outcome.contents }
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

/** What the files of the revisions in use hold. */
export function contentsInUse({ good }: StandingSources, effective: SourceMap): Contents {
  return Object.fromEntries(
    [...effective.keys()].flatMap((id) => {
      const contents = good.get(id)?.contents;
      return contents === undefined ? [] : [[id, contents] as const];
    }),
  );
}

/**
 * The applied manifests pinned to what their files hold in the revisions in use: those that were pinned, and others from
 * now on.
 * @param effective the sources that count
 * @param before the applied manifests of before: one that is applied again and holds the same has its files from then
 */
export function pinnedApplied(
  { applied, good }: StandingSources,
  effective: SourceMap,
  { generation, fresh, before }: { generation: number; fresh: ReadonlySet<string>; before: SourceMap },
): Map<string, Source> {
  const since = (id: string, { content, baseDir, pinned }: Source, contents: SourceContents): number => {
    if (pinned) return pinned.generation;
    const last = before.get(id);
    const same = canonicalJson([last?.content, last?.baseDir]) === canonicalJson([content, baseDir]);
    const unchanged = same && canonicalJson(last?.pinned?.contents) === canonicalJson(contents);
    return (unchanged ? last?.pinned?.generation : undefined) ?? generation;
  };
  return new Map(
    [...applied].map(([id, source]): [string, Source] => {
      const contents = good.get(id)?.contents;
      // One that is held back keeps what it was applied with: in use is another.
      const inUse = effective.get(id) === source;
      if (!inUse && source.pinned?.held) return [id, { ...source, pinned: { ...source.pinned, held: false } }];
      if (!inUse || contents === undefined || (!source.pinned && !fresh.has(id))) return [id, source];
      return [id, { ...source, pinned: { generation: since(id, source, contents), contents, held: false } }];
    }),
  );
}

/** The generation that each pinned one of the applied manifests has its files from. */
export function appliedGenerations({ applied }: Pick<StandingSources, 'applied'>): Record<string, number> {
  return Object.fromEntries(
    [...applied].flatMap(([id, { pinned }]) => (pinned === undefined ? [] : [[id, pinned.generation] as const])),
  );
}

/** As the last generation left them. @param contentsOf what the files of a generation held; null where that is not kept */
export function restoreSources(
  { generations, sources, holds }: History,
  contentsOf: (generation: number) => Contents | null,
): StandingSources {
  const current = generations.current();
  const contents = (current && contentsOf(current.n)) ?? {};
  const pins = Object.fromEntries(
    Object.entries(current?.pins.apps ?? {}).filter(([, pin]) => generations.get(pin.generation) !== null),
  );
  const texts = current ? sources.ofGeneration(current.n) : [];
  const pinned = new Set(Object.values(pins).flatMap((pin) => pin.sources.map(sourceId)));
  const pinnedTo = (source: Source, held: boolean): Source => {
    const id = sourceId(source);
    const generation = current?.pins.applied?.[id];
    if (generation === undefined) return source;
    const then = (held ? (contentsOf(generation) ?? {}) : contents)[id];
    return then === undefined ? source : { ...source, pinned: { generation, contents: then, held: false } };
  };
  const present = [
    ...heldBackSources(pins).map((source) => pinnedTo(source, true)),
    ...texts.filter((text) => !pinned.has(sourceId(text))).map((text) => pinnedTo(storedSource(text), false)),
  ].map((source) => [sourceId(source), source] as const);
  return {
    applied: new Map(present.filter(([, { kind }]) => kind !== 'watched')),
    watched: new Map(),
    remembered: new Map(present.filter(([, { kind }]) => kind === 'watched')),
    held: null,
    good: new Map(
      texts.map((text) => {
        const id = sourceId(text);
        const good = { text: text.text, contentHashes: current?.pins.content[id] ?? {} };
        return [id, contents[id] === undefined ? good : { ...good, contents: contents[id] }];
      }),
    ),
    owners: new Map(Object.entries(current?.pins.owners ?? {})),
    pins,
    holds: holds.all(),
  };
}
