import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TsdError } from '../../../model/errors/errors.ts';
import { type ElfFile, readElf } from './elf.ts';

/** Format of ld.so.cache: struct cache_file_new and file_entry_new of glibc's sysdeps/generic/dl-cache.h. */
const CACHE_MAGIC = 'glibc-ld.so.cache1.1';
const CACHE_HEADER_BYTES = 48;
const CACHE_ENTRY_BYTES = 24;

/** Where loaders look without a cache: glibc's and musl's trusted directories. */
const DEFAULT_DIRECTORIES = ['/lib', '/usr/lib', '/lib64', '/usr/lib64', '/usr/local/lib'];

/** An object that needs libraries, with the run paths that its loaders pass on (ld.so(8): DT_RPATH is inherited). */
export interface LoadedObject {
  /** Path without symlinks: the value of $ORIGIN. */
  readonly realPath: string;
  readonly elf: ElfFile;
  /** Expanded DT_RPATH of what loaded it, nearest first. */
  readonly inheritedRpath: readonly string[];
}

/**
 * Library name → paths that the cache has for it. Entries for special hardware are left out: any machine runs the others.
 * @internal
 */
export function parseLdCache(bytes: Buffer): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  const start = bytes.indexOf(CACHE_MAGIC);
  if (start < 0 || bytes.length < start + CACHE_HEADER_BYTES) return found;
  const text = (offset: number): string => bytes.toString('utf8', start + offset, bytes.indexOf(0, start + offset));
  const count = bytes.readUInt32LE(start + CACHE_MAGIC.length);
  for (let index = 0; index < count; index++) {
    const at = start + CACHE_HEADER_BYTES + index * CACHE_ENTRY_BYTES;
    if (at + CACHE_ENTRY_BYTES > bytes.length) break;
    if (bytes.readBigUInt64LE(at + 16) !== 0n) continue;
    const name = text(bytes.readUInt32LE(at + 4));
    found.set(name, [...(found.get(name) ?? []), text(bytes.readUInt32LE(at + 8))]);
  }
  return found;
}

interface FoundLibrary {
  readonly path: string;
  /** Found through a path that the object itself carries. */
  readonly listed: boolean;
}

/** Finds shared libraries as ld.so(8) does, without running anything. */
export class LibraryFinder {
  readonly #cache: ReadonlyMap<string, readonly string[]>;

  constructor(cachePath = '/etc/ld.so.cache') {
    this.#cache = existsSync(cachePath) ? parseLdCache(readFileSync(cachePath)) : new Map();
  }

  /**
   * The library that `object` means by `name`, symlinks kept.
   * @param loaderDirectory where the dynamic loader itself lies: a default directory of every distribution.
   * @throws TSD_IMAGE_SOURCE naming what needs it.
   */
  find(name: string, object: LoadedObject, loaderDirectory: string): FoundLibrary {
    const found = this.look(name, object, loaderDirectory);
    if (found !== null) return found;
    throw new TsdError('TSD_IMAGE_SOURCE', `${object.realPath} needs ${name}, which is not on this host`, {
      step: 'find libraries',
      hint: 'Install the package that has the library.',
    });
  }

  /** As {@link find}; null where the loader would find none. */
  look(name: string, object: LoadedObject, loaderDirectory: string): FoundLibrary | null {
    const { elf, realPath } = object;
    const fits = (path: string): boolean => existsSync(path) && readElf(path)?.machine === elf.machine;
    const listed = name.includes('/')
      ? [expandOrigin(name, realPath)]
      : [...rpathOf(object), ...elf.runpath.map((path) => expandOrigin(path, realPath))].map((path) =>
          join(path, name),
        );
    const known = name.includes('/')
      ? []
      : [
          ...(this.#cache.get(name) ?? []),
          ...[loaderDirectory, ...DEFAULT_DIRECTORIES].map((directory) => join(directory, name)),
        ];
    const own = listed.find(fits);
    if (own !== undefined) return { path: own, listed: true };
    const found = known.find(fits);
    return found === undefined ? null : { path: found, listed: false };
  }
}

/** DT_RPATH that counts for the object's libraries: its own and inherited, unless it has a DT_RUNPATH. */
export function rpathOf({ elf, realPath, inheritedRpath }: LoadedObject): readonly string[] {
  if (elf.runpath.length > 0) return [];
  return [...elf.rpath.map((directory) => expandOrigin(directory, realPath)), ...inheritedRpath];
}

function expandOrigin(path: string, realPath: string): string {
  return path.replaceAll(/\$(ORIGIN\b|\{ORIGIN\})/g, dirname(realPath));
}

/** Directory of the dynamic loader, symlinks resolved. */
export function loaderDirectoryOf(interpreter: string): string {
  return dirname(realpathSync(interpreter));
}
