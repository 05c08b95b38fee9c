import { type BigIntStats, lstatSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isDropIn, isDropInDirectory, isUnitFile } from '../importers/bundle.ts';
import { type Signature, signatureOf } from './files.ts';

/**
 * Files of a source directory that are manifests. Left out are dotfiles and what editors and copy programs leave behind:
 * `x.yaml~`, `.x.yaml.swp`, `#x.yaml#`, `x.yaml.tmp`, `4913`, `~$x.yaml`.
 */
export function isManifestName(name: string): boolean {
  return /^[^.#~]/.test(name) && (/\.ya?ml$/.test(name) || isUnitFile(name));
}

function statOf(path: string): BigIntStats | null {
  return statSync(path, { bigint: true, throwIfNoEntry: false }) ?? null;
}

/** {@link signatureOf} the file at a path, symbolic links followed; null when there is none or it cannot be looked at. */
export function signatureAt(path: string): Signature | null {
  try {
    const stats = statOf(path);
    return stats && signatureOf(stats);
  } catch {
    // ENOTDIR, EACCES, ELOOP: reading it later says which.
    return null;
  }
}

/** A link that leads back to itself: to watch it keeps chokidar from watching what is beside it. */
export function isCircle(path: string): boolean {
  try {
    statOf(path);
    return false;
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'ELOOP';
  }
}

export interface Scan {
  /** dev:ino, to notice that another directory took its place; null when there is none. */
  readonly directory: string | null;
  /** Signatures by path; of what cannot be looked at, such as the target of a link, those of its entry. */
  readonly files: ReadonlyMap<string, Signature>;
  /** Those of which only the entry could be looked at. */
  readonly unseen: ReadonlySet<string>;
}

/**
 * {@link signatureOf} an entry that is there although the file is not: a link whose target is gone, as on a disk that is not
 * mounted, or a file that cannot be looked at. Null when the entry is gone as well.
 */
function entrySignature(path: string): Signature | null {
  try {
    return signatureOf(lstatSync(path, { bigint: true }));
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
    return code === 'ENOENT' || code === 'ENOTDIR' ? null : `unseen:${String(code)}`;
  }
}

/**
 * A name that is not UTF-8 is listed with U+FFFD for what cannot be read of it, so no call finds the file. It is there all
 * the same: to leave it out would be silence about a manifest.
 */
const unnameable = (path: string): Signature | null => (path.includes('\ufffd') ? 'unseen:name' : null);

/** Paths of the parts of Quadlet units, `web.container.d/10-more.conf`. */
function dropIns(directory: string, names: readonly string[]): string[] {
  const paths: string[] = [];
  for (const name of names.filter(isDropInDirectory)) {
    try {
      for (const part of readdirSync(join(directory, name))) paths.push(join(directory, name, part));
    } catch {
      // It went away, or is no directory: then it has no parts.
    }
  }
  return paths.filter(isDropIn);
}

/** The present content of a directory. Subdirectories other than those of Quadlet's drop-ins are not entered. */
export function scanDirectory(directory: string): Scan {
  let names: string[];
  let stats: BigIntStats | null;
  try {
    stats = statOf(directory);
    names = stats ? readdirSync(directory) : [];
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw thrown;
    return { directory: null, files: new Map(), unseen: new Set() };
  }
  if (!stats) return { directory: null, files: new Map(), unseen: new Set() };
  const files = new Map<string, Signature>();
  const unseen = new Set<string>();
  const paths = [...names.filter(isManifestName).map((name) => join(directory, name)), ...dropIns(directory, names)];
  for (const path of paths.sort()) {
    const seen = signatureAt(path);
    const signature = seen ?? entrySignature(path) ?? unnameable(path);
    if (signature === null) continue;
    files.set(path, signature);
    if (seen === null) unseen.add(path);
  }
  return { directory: `${stats.dev}:${stats.ino}`, files, unseen };
}
