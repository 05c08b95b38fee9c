import type { BigIntStats } from 'node:fs';
import { itemsInSlices } from '../../ffi/slices.ts';
import type { LayerChange } from '../contract/graph.ts';
import { joinBytes, rootDiffers, sameDirectory } from './tree-changes.ts';

const EMPTY = Buffer.alloc(0);

/** How the directories of a union filesystem say what they hide of those below. */
export interface UnionFormat {
  /** The names that a directory has something at or hides, in a fixed order, found in steps; none when it vanished. */
  names(directory: Buffer): Generator<null, readonly Buffer[]>;
  /** What a directory has at a name; null for nothing. */
  find(directory: Buffer, name: Buffer): BigIntStats | 'whiteout' | null;
  /** Nothing of the layers below shines through. */
  isOpaque(directory: Buffer): boolean;
}

/** A directory of the topmost layer with the directories that it is merged with or hides. */
interface Merged {
  readonly path: Buffer;
  readonly upper: Buffer;
  /** The same directory in the layers below, nearest first; empty where there is none. */
  readonly below: readonly Buffer[];
  /** Nothing of `below` shines through. */
  readonly opaque: boolean;
}

/** What a layer of a union filesystem changes of the ones below it. @param lowers nearest first. */
export function unionChanges(
  format: UnionFormat,
  upper: string,
  lowers: readonly string[],
  signal?: AbortSignal,
): AsyncIterable<LayerChange> {
  const root = {
    path: EMPTY,
    upper: Buffer.from(upper),
    below: lowers.map((path) => Buffer.from(path)),
    opaque: false,
  };
  return itemsInSlices(rootChanges(format, root), signal);
}

function* rootChanges(format: UnionFormat, root: Merged): Generator<LayerChange | null> {
  const [nearest] = root.below;
  if (nearest === undefined) yield { kind: 'added', path: EMPTY, hostPath: root.upper };
  else if (rootDiffers(root.upper, nearest)) yield { kind: 'modified', path: EMPTY, hostPath: root.upper };
  yield* directoryChanges(format, root);
}

function* directoryChanges(format: UnionFormat, directory: Merged): Generator<LayerChange | null> {
  const names = yield* format.names(directory.upper);
  if (directory.opaque) yield* hiddenByOpaque(format, directory, names);
  for (const name of names) {
    yield null;
    const mine = format.find(directory.upper, name);
    if (mine === null) continue;
    const path = joinBytes(directory.path, name);
    const found = lookup(format, directory.below, name);
    if (mine === 'whiteout') {
      if (found !== null) yield { kind: 'deleted', path, hostPath: null };
      continue;
    }
    const upper = joinBytes(directory.upper, name);
    const [nearest] = found?.directories ?? [];
    const onlyTime = nearest !== undefined && mine.isDirectory() && sameDirectory(upper, nearest);
    yield { kind: found === null ? 'added' : 'modified', path, hostPath: upper, ...(onlyTime && { onlyTime }) };
    if (!mine.isDirectory()) continue;
    const opaque = directory.opaque || format.isOpaque(upper);
    yield* directoryChanges(format, { path, upper, below: found?.directories ?? [], opaque });
  }
}

function* hiddenByOpaque(
  format: UnionFormat,
  { path, below }: Merged,
  kept: readonly Buffer[],
): Generator<LayerChange | null> {
  const gone = new Map<string, Buffer>();
  for (const directory of below) {
    for (const name of yield* format.names(directory)) gone.set(name.toString('latin1'), name);
  }
  for (const name of kept) gone.delete(name.toString('latin1'));
  for (const name of gone.values()) {
    yield null;
    if (lookup(format, below, name) !== null) yield { kind: 'deleted', path: joinBytes(path, name), hostPath: null };
  }
}

/**
 * What a merged directory holds at a name, as a union filesystem looks it up: the nearest layer decides, and directories
 * are merged down to the first that is opaque or has something else there. Null when there is nothing.
 */
function lookup(
  format: UnionFormat,
  below: readonly Buffer[],
  name: Buffer,
): { readonly directories: readonly Buffer[] } | null {
  const directories: Buffer[] = [];
  for (const layer of below) {
    const found = format.find(layer, name);
    if (found === null) continue;
    if (found === 'whiteout') break;
    if (!found.isDirectory()) return { directories };
    const path = joinBytes(layer, name);
    directories.push(path);
    if (format.isOpaque(path)) break;
  }
  return directories.length === 0 ? null : { directories };
}
