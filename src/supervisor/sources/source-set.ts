/** A set of manifests with their revisions. Immutable: a change creates a new set, which is in force once it is durable. */
import type { ManifestInput } from '../../api/requests.ts';
import type { GoodRevision, SourceOutcome } from '../../manifest/desired-state.ts';
import { appNameOf } from '../../manifest/parse.ts';
import { canonicalJson } from '../../manifest/spec-hash.ts';
import type { Contents, SourceContents } from '../../model/contents.ts';
import type { HeldApp } from '../../state/databases/declaration.ts';
import type { GenerationPins } from '../../state/history/generation-store.ts';
import type { History } from '../../state/history/history.ts';
import type { SourceText } from '../../state/history/source-store.ts';
import { originOf, type Source, type SourceMap, sourceId, storedSource } from './source.ts';
import { type AppPins, heldBackSources } from './source-pins.ts';

/** A removal of several manifests at once, which looks like an accident and waits for approval. */
export interface HeldRemoval {
  readonly directory: string;
  readonly message: string;
}

export interface SourceSet {
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

/** Returns all manifests, in force or not. */
export function allSources({ remembered, watched, applied }: SourceSet): SourceMap {
  return new Map([...remembered, ...watched, ...applied]);
}

/** Returns the lookup from source id to app. @param past apps of sources that are not in the set any more */
export function ownerIn({ owners }: SourceSet, past: Readonly<Record<string, string>> = {}): (id: string) => string {
  return (id) => owners.get(id) ?? past[id] ?? ownerByName(id);
}

/** Returns the app of a source that never declared one: derived from its file name. */
export function ownerByName(id: string): string {
  const origin = originOf(id);
  return appNameOf(origin) ?? origin;
}

/** A change of the applied manifests. */
export interface Inputs {
  readonly inputs: readonly ManifestInput[];
  /** Origins of manifests to remove. */
  readonly gone?: readonly string[];
  /** True when the inputs are parts of applied manifests: these keep their pinned files. */
  readonly sameFiles?: boolean;
}

/** Returns the applied manifests with `inputs` added or replaced and `gone` removed. */
export function withInputs(
  { applied }: SourceSet,
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

/** Like {@link withInputs}; an input whose file is in the watched directory replaces that file's text. */
export function withTried(set: SourceSet, tried: Inputs): SourceSet {
  const all = allSources(set);
  const watched = new Map(set.watched);
  const others = tried.inputs.filter(({ file, text }) => {
    const id = sourceId({ kind: 'watched', origin: file });
    const source = all.get(id);
    if (source) watched.set(id, { ...source, content: { ok: true, text } });
    return !source;
  });
  return { ...set, watched, applied: withInputs(set, { ...tried, inputs: others }) };
}

/** Returns the set with the revisions in use, and whether any of these is new. @param effective the sources in force */
export function accept(
  set: SourceSet,
  effective: SourceMap,
  outcomes: ReadonlyMap<string, SourceOutcome>,
): { readonly set: SourceSet; readonly changed: boolean } {
  const good = new Map<string, GoodRevision>();
  const owners = new Map(set.owners);
  let changed = set.good.size !== effective.size;
  for (const [id, outcome] of outcomes) {
    const content = effective.get(id)?.content;
    const previous = set.good.get(id);
    const current =
      outcome.using === 'current' && content?.ok
        ? { text: content.text, contentHashes: outcome.contentHashes, contents: outcome.contents }
        : previous;
    if (current) good.set(id, current);
    if (current && outcome.app !== null) owners.set(id, outcome.app);
    if (current?.text !== previous?.text) changed = true;
  }
  return { set: { ...set, good, owners }, changed };
}

/** Returns the texts in use with the content hashes of the files they name. @param effective the sources in force */
export function textsInUse(
  { good }: SourceSet,
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

/** Returns the contents of the files that the revisions in use name. */
export function contentsInUse({ good }: SourceSet, effective: SourceMap): Contents {
  return Object.fromEntries(
    [...effective.keys()].flatMap((id) => {
      const contents = good.get(id)?.contents;
      return contents === undefined ? [] : [[id, contents] as const];
    }),
  );
}

/**
 * Returns the applied manifests pinned to the contents of their files in the revisions in use, newly pinned ones included.
 * @param effective the sources in force
 * @param before the earlier applied manifests: one that is applied again unchanged keeps its earlier files
 */
export function pinnedApplied(
  { applied, good }: SourceSet,
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
      // A pinned manifest keeps its applied contents: the revision in use is another one.
      const inUse = effective.get(id) === source;
      if (!inUse && source.pinned?.held) return [id, { ...source, pinned: { ...source.pinned, held: false } }];
      if (!inUse || contents === undefined || (!source.pinned && !fresh.has(id))) return [id, source];
      return [id, { ...source, pinned: { generation: since(id, source, contents), contents, held: false } }];
    }),
  );
}

/** Returns the generation from which each pinned applied manifest has its files. */
export function appliedGenerations({ applied }: Pick<SourceSet, 'applied'>): Record<string, number> {
  return Object.fromEntries(
    [...applied].flatMap(([id, { pinned }]) => (pinned === undefined ? [] : [[id, pinned.generation] as const])),
  );
}

/** Returns the set as of the last generation. @param contentsOf the file contents of a generation; null when not kept */
export function restoreSources(
  { generations, sources, holds }: History,
  contentsOf: (generation: number) => Contents | null,
): SourceSet {
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
