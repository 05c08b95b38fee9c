/** Finds the files of a manifest whose contents changed between two times. Pure. */
import type { SourceContents } from '../../model/contents.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';

/**
 * Returns the files and build contexts, as written, that differ from `then`, as far as their contents can be restored.
 * @param then undefined when it is not kept
 * @param hashes of `then`, by path as written; they suffice for a build, which is restored as its image
 * @param among the files to compare, by resource; absent: all
 */
export function changedFiles(
  then: SourceContents | undefined,
  now: SourceContents,
  hashes: Readonly<Record<string, string>>,
  among?: Readonly<Record<ResourceKey, readonly string[]>>,
): string[] {
  const changed = Object.entries(now.resources).flatMap(([key, contents]) => {
    const past = then?.resources[key as ResourceKey];
    const counts = (path: string): boolean => among === undefined || (among[key as ResourceKey] ?? []).includes(path);
    if (parseKey(key as ResourceKey).kind === 'image') {
      return Object.entries(contents.hashes).flatMap(([path, hash]) => {
        const before = past?.hashes[path] ?? hashes[path];
        return before !== undefined && before !== hash && counts(path) ? [path] : [];
      });
    }
    return Object.entries(past?.files ?? {}).flatMap(([path, { name }]) =>
      name !== contents.files[path]?.name && counts(path) ? [path] : [],
    );
  });
  return [...new Set(changed)].sort();
}
