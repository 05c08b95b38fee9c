import { type BigIntStats, readlinkSync } from 'node:fs';
import { readXattrs } from '../../ffi/files/layer-files.ts';
import {
  isTooDeep,
  namesWithoutLinks,
  readWithoutLinks,
  statWithoutLinks,
  tooDeep,
} from '../../ffi/files/without-links.ts';
import { itemsInSlices } from '../../ffi/slices.ts';
import { append } from '../../model/lists.ts';
import { sortInSteps } from '../../model/sort-in-steps.ts';
import type { LayerChange } from '../contract/graph.ts';

/** Attributes of the content; the others belong to the host. */
const COMPARED_XATTR = /^(user\.(?!overlay\.)|security\.capability$)/;
const SLASH = Buffer.from('/');
const EMPTY = Buffer.alloc(0);

export function joinBytes(directory: Buffer, name: Buffer): Buffer {
  return directory.length === 0 ? name : Buffer.concat([directory, SLASH, name]);
}

/** What lies deeper than a path can say (PATH_MAX) is an error, or left out where only sizes are added up. */
export type DeepFiles = 'refused' | 'left-out';

export interface WalkOptions {
  readonly deep?: DeepFiles;
  /** Ends the walk, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Names in a directory, sorted, found in steps; none when it vanished, or is none. */
export function* namesIn(directory: Buffer, deep: DeepFiles = 'refused'): Generator<null, Buffer[]> {
  if (isTooDeep(directory)) {
    if (deep === 'left-out') return [];
    throw tooDeep(directory.toString());
  }
  const names: Buffer[] = [];
  for (const batch of namesWithoutLinks(directory)) {
    append(names, batch);
    yield null;
  }
  return yield* sortInSteps(names, Buffer.compare);
}

/** Extended attributes; none when it vanished. */
export function xattrsOf(path: Buffer): Map<string, Buffer> {
  return readWithoutLinks(path, readXattrs) ?? new Map();
}

/** True when root directories differ in what people set; the time of a root changes with every use. */
export function rootDiffers(upper: Buffer, lower: Buffer): boolean {
  const [mine, theirs] = [statWithoutLinks(upper), statWithoutLinks(lower)];
  return mine !== null && theirs !== null && !sameOwnerAndMode(mine, theirs);
}

/**
 * What a tree changes of another one, by comparing status and attributes of all their files and not their contents.
 * A directory that holds a change is itself reported, before its children.
 * @param lower null: everything is added.
 */
export function treeChanges(
  upper: string,
  lower: string | null,
  { deep = 'refused', signal }: WalkOptions = {},
): AsyncIterable<LayerChange> {
  const steps = compareRoots(Buffer.from(upper), lower === null ? null : Buffer.from(lower), deep);
  return itemsInSlices(steps, signal);
}

function* compareRoots(upper: Buffer, lower: Buffer | null, deep: DeepFiles): Generator<LayerChange | null> {
  if (lower === null) yield { kind: 'added', path: EMPTY, hostPath: upper };
  else if (rootDiffers(upper, lower)) yield { kind: 'modified', path: EMPTY, hostPath: upper };
  yield* compareDirectories({ path: EMPTY, upper, lower, deep }, []);
}

interface Pair {
  /** Relative to both roots. */
  readonly path: Buffer;
  readonly upper: Buffer;
  /** Null where the lower tree has no directory at this place. */
  readonly lower: Buffer | null;
  readonly deep: DeepFiles;
}

/** @param silent unchanged directories on the way here; they are reported before the first change below them. */
function* compareDirectories(pair: Pair, silent: LayerChange[]): Generator<LayerChange | null> {
  const below = new Map<string, Buffer>();
  for (const name of pair.lower === null ? [] : yield* namesIn(pair.lower, pair.deep)) {
    below.set(name.toString('latin1'), name);
  }
  yield null;
  for (const name of yield* namesIn(pair.upper, pair.deep)) {
    below.delete(name.toString('latin1'));
    yield* compareEntry(pair, name, silent);
  }
  for (const name of below.values()) {
    yield* silent.splice(0);
    yield { kind: 'deleted', path: joinBytes(pair.path, name), hostPath: null };
  }
}

function* compareEntry(pair: Pair, name: Buffer, silent: LayerChange[]): Generator<LayerChange | null> {
  yield null;
  const upper = joinBytes(pair.upper, name);
  const lower = pair.lower === null ? null : joinBytes(pair.lower, name);
  const mine = statWithoutLinks(upper);
  if (mine === null) return;
  const theirs = lower === null ? null : statWithoutLinks(lower);
  const path = joinBytes(pair.path, name);
  const onlyTime = lower !== null && mine.isDirectory() && sameDirectory(upper, lower);
  const change: LayerChange = {
    kind: theirs === null ? 'added' : 'modified',
    path,
    hostPath: upper,
    ...(onlyTime && { onlyTime }),
  };
  if (theirs === null || lower === null || !sameFile(upper, mine, lower, theirs)) {
    yield* silent.splice(0);
    yield change;
  } else if (mine.isDirectory()) silent.push(change);
  if (!mine.isDirectory()) return;
  const below = theirs?.isDirectory() === true ? lower : null;
  yield* compareDirectories({ path, upper, lower: below, deep: pair.deep }, silent);
  if (silent.at(-1) === change) silent.pop();
}

/** True where both are directories that differ at most in their times. */
export function sameDirectory(upper: Buffer, lower: Buffer): boolean {
  const [mine, theirs] = [statWithoutLinks(upper), statWithoutLinks(lower)];
  if (mine === null || theirs?.isDirectory() !== true) return false;
  return sameOwnerAndMode(mine, theirs) && comparedXattrs(upper) === comparedXattrs(lower);
}

function sameOwnerAndMode(a: BigIntStats, b: BigIntStats): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid;
}

function sameFile(upper: Buffer, mine: BigIntStats, lower: Buffer, theirs: BigIntStats): boolean {
  if (!sameOwnerAndMode(mine, theirs) || mine.rdev !== theirs.rdev || mine.mtimeNs !== theirs.mtimeNs) return false;
  if (!mine.isDirectory() && mine.size !== theirs.size) return false;
  if (mine.isSymbolicLink() && linkText(upper) !== linkText(lower)) return false;
  return comparedXattrs(upper) === comparedXattrs(lower);
}

function linkText(path: Buffer): string | null {
  return readWithoutLinks(path, (held) => readlinkSync(held, { encoding: 'latin1' }));
}

function comparedXattrs(path: Buffer): string {
  return [...xattrsOf(path)]
    .filter(([name]) => COMPARED_XATTR.test(name))
    .map(([name, value]) => `${name}=${value.toString('hex')}`)
    .join('\n');
}
