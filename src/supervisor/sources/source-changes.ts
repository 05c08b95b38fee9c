/** Describes the changes of a new generation. Pure. */
import { basename } from 'node:path';
import type { DiffView } from '../../api/views/plan-views.ts';
import type { GoodRevision } from '../../manifest/desired-state.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import { parseKey, type ResourceKey, type SourcePosition } from '../../model/resource.ts';
import type { TimelineDraft } from '../../model/status/timeline.ts';
import { shortPair, shownValue } from '../../model/text/shown-value.ts';
import { positionOf } from '../../reconcile/plan/order/cause.ts';
import type { GenerationChanges } from '../../state/history/generation-store.ts';

type Revisions = ReadonlyMap<string, GoodRevision>;
type FileChange = GenerationChanges['files'][number];

/** True when two resolutions hold the same resources with the same specifications. */
export function sameState(a: DesiredState, b: DesiredState): boolean {
  if (a.resources.size !== b.resources.size) return false;
  if ([...(a.untouched ?? [])].join() !== [...(b.untouched ?? [])].join()) return false;
  for (const [key, desired] of a.resources) {
    const other = b.resources.get(key);
    if (other?.specHash !== desired.specHash || other.engineName !== desired.engineName) return false;
    if (JSON.stringify(other.contentHashes) !== JSON.stringify(desired.contentHashes)) return false;
  }
  return true;
}

/** Returns the state with containers using the files themselves where a copy is missing. */
export function withoutCopies(state: DesiredState, isThere: (name: string) => boolean): DesiredState {
  const resources = [...state.resources].map(([key, desired]): [ResourceKey, Desired] => {
    const files = Object.entries(desired.files ?? {});
    const there = files.filter(([, name]) => isThere(name));
    return [key, there.length === files.length ? desired : { ...desired, files: Object.fromEntries(there) }];
  });
  return { ...state, resources: new Map(resources) };
}

/** Reports whether the second is a proper subset of the first. */
export function onlyRemoves(before: DesiredState, after: DesiredState): boolean {
  const kept = [...after.resources].every(([key, { specHash }]) => before.resources.get(key)?.specHash === specHash);
  return kept && after.resources.size < before.resources.size;
}

/** Returns the manifests that are newly in use or changed. @param originOf of a source's id */
export function fileChanges(before: Revisions, after: Revisions, originOf: (id: string) => string): FileChange[] {
  const changes: FileChange[] = [];
  for (const [id, { text, contentHashes }] of after) {
    const previous = before.get(id);
    const sameContent = JSON.stringify(previous?.contentHashes) === JSON.stringify(contentHashes);
    if (!previous) changes.push({ file: originOf(id), change: 'added' });
    else if (previous.text !== text) changes.push({ file: originOf(id), change: 'changed' });
    else if (!sameContent) changes.push({ file: originOf(id), change: 'content' });
  }
  for (const id of before.keys()) if (!after.has(id)) changes.push({ file: originOf(id), change: 'removed' });
  return changes;
}

const VERBS = { added: 'added', changed: 'edited', removed: 'removed', content: 'content changed for' } as const;
const NAMED_FILES = 3;

/** `edited blog.yaml, added shop.yaml`. */
export function describeFiles(changes: readonly FileChange[]): string {
  const named = changes.slice(0, NAMED_FILES).map(({ file, change }) => `${VERBS[change]} ${basename(file)}`);
  const more = changes.length - named.length;
  return more > 0 ? `${named.join(', ')} and ${more} more` : named.join(', ');
}

const MAX_VALUE = 60;

/** `env.MODE "a" -> "b"; ports [] -> ["8080:80"]`. @internal */
export function describeFields({ fields }: Pick<DiffView, 'fields'>): string {
  const texts = fields.map(({ path, from, to }) => {
    const [before, after] = shortPair(shownValue(path, from), shownValue(path, to), MAX_VALUE);
    return `${path} ${before} -> ${after}`;
  });
  return texts.join('; ');
}

function placeOf(difference: DiffView, before: Desired | undefined, after: Desired | undefined): SourcePosition | null {
  const [first] = difference.fields;
  if (after && first) return positionOf(after, first.path);
  return (after ?? before)?.source ?? null;
}

/** An automatic change: an update failed and its app was rolled back. */
export const ROLLED_BACK = 'rolled-back';

interface Edit {
  readonly generation: number;
  readonly cause: string;
  readonly atMs: number;
  /** Apps rolled back by a failed update, with the generation. */
  readonly rolledBack: ReadonlyMap<string, number>;
}

/** Returns one timeline entry per resource that a generation declares differently. */
export function editEntries(
  differences: readonly DiffView[],
  { before, after }: { readonly before: DesiredState; readonly after: DesiredState },
  { generation, cause, atMs, rolledBack }: Edit,
): TimelineDraft[] {
  return differences.map((difference) => {
    const key = difference.resource as ResourceKey;
    const entry = { atMs, kind: 'edit', key, generation, ok: true, cause, run: null, log: [] } as const;
    const backTo = rolledBack.get(parseKey(key).app);
    // The difference was reported with its own generation, and its line numbers are not those of the current file.
    if (backTo !== undefined)
      return { ...entry, what: ROLLED_BACK, message: `back to generation ${backTo}`, source: null };
    const fields = describeFields(difference);
    return {
      ...entry,
      what: difference.change,
      message: fields === '' ? difference.change : fields,
      source: placeOf(difference, before.resources.get(key), after.resources.get(key)),
    };
  });
}

export function resourceChanges(differences: readonly DiffView[]): GenerationChanges['resources'] {
  return differences.map(({ resource, change }) => ({ key: resource as ResourceKey, change }));
}
