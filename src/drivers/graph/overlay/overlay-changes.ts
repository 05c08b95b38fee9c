import type { BigIntStats } from 'node:fs';
import { readXattrs } from '../../../ffi/layer-files.ts';
import type { LayerChange } from '../../contract.ts';
import { inTurns, joinBytes, namesIn, rootDiffers, statOf } from '../tree-changes.ts';

/** Documentation/filesystems/overlayfs.rst */
const OPAQUE = 'trusted.overlay.opaque';
const EMPTY = Buffer.alloc(0);

/** A directory of the topmost layer with the directories that it is merged with or hides. */
interface Merged {
  readonly path: Buffer;
  readonly upper: Buffer;
  /** The same directory in the layers below, nearest first; empty where there is none. */
  readonly below: readonly Buffer[];
  /** Nothing of `below` shines through. */
  readonly opaque: boolean;
}

/** What an overlay directory changes of the ones below it. @param lowers nearest first. */
export function overlayChanges(upper: string, lowers: readonly string[]): AsyncIterable<LayerChange> {
  const root = {
    path: EMPTY,
    upper: Buffer.from(upper),
    below: lowers.map((path) => Buffer.from(path)),
    opaque: false,
  };
  return inTurns(rootChanges(root));
}

function* rootChanges(root: Merged): Generator<LayerChange | null> {
  const [nearest] = root.below;
  if (nearest === undefined) yield { kind: 'added', path: EMPTY, hostPath: root.upper };
  else if (rootDiffers(root.upper, nearest)) yield { kind: 'modified', path: EMPTY, hostPath: root.upper };
  yield* directoryChanges(root);
}

function* directoryChanges(directory: Merged): Generator<LayerChange | null> {
  const names = namesIn(directory.upper);
  if (directory.opaque) yield* hiddenByOpaque(directory, names);
  for (const name of names) {
    yield null;
    const upper = joinBytes(directory.upper, name);
    const path = joinBytes(directory.path, name);
    const stat = statOf(upper);
    if (stat === null) continue;
    const found = lookup(directory.below, name);
    if (isWhiteout(stat)) {
      if (found !== null) yield { kind: 'deleted', path, hostPath: null };
      continue;
    }
    yield { kind: found === null ? 'added' : 'modified', path, hostPath: upper };
    if (!stat.isDirectory()) continue;
    const opaque = directory.opaque || isOpaque(upper);
    yield* directoryChanges({ path, upper, below: found?.directories ?? [], opaque });
  }
}

function* hiddenByOpaque({ path, below }: Merged, kept: readonly Buffer[]): Generator<LayerChange> {
  const gone = new Map(below.flatMap(namesIn).map((name) => [name.toString('latin1'), name]));
  for (const name of kept) gone.delete(name.toString('latin1'));
  for (const name of gone.values()) {
    if (lookup(below, name) !== null) yield { kind: 'deleted', path: joinBytes(path, name), hostPath: null };
  }
}

/**
 * What a merged directory holds at a name, as overlayfs looks it up: the nearest layer decides, and directories are
 * merged down to the first that is opaque or has something else there. Null when there is nothing.
 */
function lookup(below: readonly Buffer[], name: Buffer): { readonly directories: readonly Buffer[] } | null {
  const directories: Buffer[] = [];
  for (const layer of below) {
    const path = joinBytes(layer, name);
    const stat = statOf(path);
    if (stat === null) continue;
    if (isWhiteout(stat)) break;
    if (!stat.isDirectory()) return { directories };
    directories.push(path);
    if (isOpaque(path)) break;
  }
  return directories.length === 0 ? null : { directories };
}

const isWhiteout = (stat: BigIntStats): boolean => stat.isCharacterDevice() && stat.rdev === 0n;

const isOpaque = (directory: Buffer): boolean => readXattrs(directory).get(OPAQUE)?.toString() === 'y';
