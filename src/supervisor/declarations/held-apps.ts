/** Apps whose declaration is not certain: what they may be, and what each choice leads to. */
import type { Candidate, Declaration, HeldApp } from '../../state/databases/declaration.ts';
import { type Source, type SourceMap, sourceId } from '../sources/source.ts';
import type { SourceSet } from '../sources/source-set.ts';
import { generationOf } from './declarations.ts';

export interface Choice {
  readonly held: HeldApp;
  readonly candidate: Candidate;
  /** As `approve` takes it. */
  readonly name: string;
}

export function choicesOf(holds: ReadonlyMap<string, HeldApp>): Choice[] {
  return [...holds.values()].flatMap((held) =>
    held.candidates.map((candidate) => ({ held, candidate, name: `${held.app}@${candidate.name}` })),
  );
}

export function withoutHolds(
  holds: ReadonlyMap<string, HeldApp>,
  apps: ReadonlySet<string>,
): ReadonlyMap<string, HeldApp> {
  return new Map([...holds].filter(([app]) => !apps.has(app)));
}

/** Holds that are over: a source declares the app, and it counts. */
export function endedBy(holds: SourceSet['holds'], owners: Iterable<string | null>): SourceSet['holds'] {
  const declared = new Set([...owners].filter((app) => app !== null));
  return [...holds.keys()].some((app) => declared.has(app)) ? withoutHolds(holds, declared) : holds;
}

/** True where nothing says that an app is declared: all that did were files of the watched directory, which are gone. */
function isGone({ candidates, strict }: HeldApp, watched: SourceMap): boolean {
  if (strict || candidates.every(({ declaration }) => declaration !== null)) return false;
  const sources = candidates.flatMap(({ declaration }) => declaration?.sources ?? []);
  return sources.every((source) => source.kind === 'watched' && !watched.has(sourceId(source)));
}

/** Without those that the watched directory, as it was read, settles. */
export function afterLook(holds: SourceSet['holds'], watched: SourceMap): SourceSet['holds'] {
  const over = [...holds.values()].filter((held) => isGone(held, watched)).map(({ app }) => app);
  return over.length === 0 ? holds : withoutHolds(holds, new Set(over));
}

function sourcesOf({ sources }: Declaration, generation: number): Source[] {
  return sources.map(({ kind, origin, baseDir, text, contents, pinned }) => {
    const source: Source = { kind, origin, baseDir, content: { ok: true, text } };
    return pinned && contents !== null ? { ...source, pinned: { generation, contents, held: false } } : source;
  });
}

/**
 * The manifests with an app as a candidate declares it.
 * @param looked the watched directory was read: its files count, and not what they were, unless they are held back
 */
export function withChoice(
  set: SourceSet,
  { held, candidate }: Choice,
  { generation, looked }: { readonly generation: number; readonly looked: boolean },
): SourceSet {
  const holds = withoutHolds(set.holds, new Set([held.app]));
  const { declaration } = candidate;
  if (declaration === null) return { ...set, holds };
  const { pins, contents } = generationOf([declaration], generation);
  const counts = ({ kind }: Source): boolean => kind !== 'watched' || !looked || declaration.pin !== null;
  const own = sourcesOf(declaration, generation)
    .filter(counts)
    .map((source) => [sourceId(source), source] as const);
  const good = declaration.sources.map((source) => {
    const id = sourceId(source);
    const revision = { text: source.text, contentHashes: pins.content[id] ?? {} };
    return [id, contents[id] === undefined ? revision : { ...revision, contents: contents[id] }] as const;
  });
  return {
    ...set,
    holds,
    applied: new Map([...set.applied, ...own.filter(([, { kind }]) => kind !== 'watched')]),
    watched: new Map([...set.watched, ...own.filter(([, { kind }]) => kind === 'watched')]),
    good: new Map([...set.good, ...good]),
    owners: new Map([...set.owners, ...Object.entries(pins.owners ?? {})]),
  };
}
