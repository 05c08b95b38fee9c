/** Apps whose declaration is not certain: what they may be, and what each choice leads to. */
import type { Candidate, Declaration, HeldApp } from '../../state/declaration.ts';
import { type Source, type SourceMap, sourceId } from '../source.ts';
import type { StandingSources } from '../standing-sources.ts';
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
export function endedBy(holds: StandingSources['holds'], owners: Iterable<string | null>): StandingSources['holds'] {
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
export function afterLook(holds: StandingSources['holds'], watched: SourceMap): StandingSources['holds'] {
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
  standing: StandingSources,
  { held, candidate }: Choice,
  { generation, looked }: { readonly generation: number; readonly looked: boolean },
): StandingSources {
  const holds = withoutHolds(standing.holds, new Set([held.app]));
  const { declaration } = candidate;
  if (declaration === null) return { ...standing, holds };
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
    ...standing,
    holds,
    applied: new Map([...standing.applied, ...own.filter(([, { kind }]) => kind !== 'watched')]),
    watched: new Map([...standing.watched, ...own.filter(([, { kind }]) => kind === 'watched')]),
    good: new Map([...standing.good, ...good]),
    owners: new Map([...standing.owners, ...Object.entries(pins.owners ?? {})]),
  };
}
