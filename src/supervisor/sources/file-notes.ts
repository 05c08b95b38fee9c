/** Notes on what a plan or a rollback does not include. Pure. */
import type { FileNote } from '../../api/views/plan-views.ts';
import type { SourceOutcome } from '../../manifest/desired-state.ts';
import type { DesiredState } from '../../model/desired.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';

/** Returns the files that containers use without a copy. @param apps null for all */
export function liveNotes({ resources }: DesiredState, apps: ReadonlySet<string> | null): FileNote[] {
  return [...resources.values()].flatMap(({ key, app, name, live = [] }) => {
    if (apps !== null && !apps.has(app)) return [];
    return live.map(({ path, reason }) => ({
      kind: 'live' as const,
      resource: key,
      message: `${path} is not pinned (${app}/${name}: ${reason})`,
      hint: '',
    }));
  });
}

/** An applied manifest whose files have changed since it was applied. */
export interface Drifted {
  readonly generation: number;
  readonly files: readonly string[];
  readonly secrets: readonly string[];
}

/** Returns the changed files of a pinned source; null when none has changed. */
export function driftOf(
  { changed, contents }: Pick<SourceOutcome, 'changed' | 'contents'>,
  generation: number,
): Drifted | null {
  if (changed.length === 0) return null;
  const secret = new Set(Object.values(contents.resources).flatMap(({ secrets = [] }) => secrets));
  const [files, secrets] = [changed.filter((path) => !secret.has(path)), changed.filter((path) => secret.has(path))];
  return { generation, files, secrets };
}

const NAMED = 5;

/** `a, b and 3 more`. */
function listed(paths: readonly string[]): string {
  const more = paths.length - NAMED;
  return `${paths.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Returns the command that takes over the current files of an applied manifest. */
export function applyHint(origin: string): string {
  return origin.startsWith('/')
    ? `\`tsdocker apply -f ${origin}\` takes them over.`
    : 'Apply it again to take them over.';
}

export function driftNotes(origin: string, { generation, files, secrets }: Drifted): FileNote[] {
  const hint = applyHint(origin);
  const notes: FileNote[] = secrets.map((path) => newerSecret(path, generation, hint));
  if (files.length === 0) return notes;
  const message = `sources changed since generation ${generation}: ${listed(files)}`;
  return [{ kind: 'changed', resource: origin, message, hint }, ...notes];
}

function newerSecret(path: string, generation: number, hint: string): FileNote {
  return { kind: 'secret', resource: path, message: `secret ${path} is newer than generation ${generation}`, hint };
}

/** The stored part of an earlier generation. */
export interface Past {
  readonly generation: number;
  /** Hashes of the files of a source, by path as written. */
  readonly hashes: Readonly<Record<string, string>>;
  /** True when copies of its files are kept. */
  readonly kept: boolean;
}

/** Returns the parts of a source that a rollback cannot restore. @param now the source after the rollback */
export function rollbackNotes({ generation, hashes, kept }: Past, now: Pick<SourceOutcome, 'contents'>): FileNote[] {
  const secrets = new Set<string>();
  const lost = new Set<string>();
  for (const [key, contents] of Object.entries(now.contents.resources)) {
    if (parseKey(key as ResourceKey).kind !== 'container') continue;
    for (const [path, hash] of Object.entries(contents.hashes)) {
      if (hashes[path] === undefined || hashes[path] === hash) continue;
      if (contents.secrets?.includes(path)) secrets.add(path);
      else lost.add(path);
    }
  }
  const notes = [...secrets].map((path) => newerSecret(path, generation, 'What starts uses the secret as it is now.'));
  if (lost.size === 0) return notes;
  const why = kept ? 'it was not pinned' : `generation ${generation} is kept as a specification only`;
  const message = `${listed([...lost])}: the content of generation ${generation} cannot be brought back, ${why}`;
  return [...notes, { kind: 'lost', resource: [...lost][0] ?? '', message, hint: 'The content of now is used.' }];
}

/** Returns the images that a rollback needs and that are no longer on this host. */
export function goneImages(
  generation: number,
  then: ReadonlyMap<ResourceKey, string>,
  { resources }: DesiredState,
  isHere: (imageId: string) => boolean,
): FileNote[] {
  return [...then].flatMap(([key, imageId]): FileNote[] => {
    const declared = resources.get(key);
    if (declared?.kind !== 'image' || isHere(imageId)) return [];
    const { app, name } = parseKey(key);
    const isBuild = 'source' in declared.spec && declared.spec.source.type === 'build';
    const message = `image ${app}/${name} of generation ${generation} is gone from this host`;
    const hint = isBuild
      ? 'It is built from its context as it is now.'
      : 'It is fetched from its source as that is now.';
    return [{ kind: 'lost', resource: key, message, hint }];
  });
}
