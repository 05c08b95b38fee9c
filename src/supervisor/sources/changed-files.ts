/** Which files of a manifest were others at another time. Pure. */
import type { SourceContents } from '../../model/contents.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';

/**
 * Files and build contexts, as written, that are not what they were then, as far as that can be brought back.
 * @param then undefined where it is not kept
 * @param hashes of then, by path as written: of a build they say enough, since its image is what is brought back
 * @param among by resource, those that count; all without it
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
