/** Where COPY and ADD take files from: a build context, or the files of an image or stage. */
import type { BigIntStats } from 'node:fs';
import type { Beneath } from '../../../ffi/files/beneath.ts';
import { type DockerfilePlace, dockerfileError } from '../../../model/dockerfile/place.ts';
import { type Glob, PatternError, pathGlob } from '../../../model/text/glob.ts';
import { IGNORE_NOTHING, type IgnoreMatcher } from '../../../model/text/ignore-file.ts';
import { fromBytes, readable } from '../../tar/header.ts';

export interface SourceTree {
  readonly files: Beneath;
  readonly ignore: IgnoreMatcher;
  /** In messages: `the build context`, `stage builder`. */
  readonly name: string;
  /** Device nodes may be copied: it is the file tree of an image, which root made. */
  readonly devices: boolean;
  /** Files keep their owners unless --chown says otherwise; those of a build context become root's. */
  readonly keepsOwners: boolean;
}

/** The directory of an unpacked archive. */
export function archiveTree(files: Beneath, name: string): SourceTree {
  return { files, ignore: IGNORE_NOTHING, name, devices: false, keepsOwners: true };
}

/** A file or directory that a pattern means. Paths are byte strings. */
export interface SourceMatch {
  /** Relative to the tree, without links. */
  readonly path: string;
  /** As the pattern has it; its last part names the copy. */
  readonly asked: string;
  readonly stat: BigIntStats;
}

const toText = readable;
const toByteString = (text: string): string => fromBytes(Buffer.from(text));

/**
 * What a source of COPY or ADD means, found in steps. Links lead to where they would with the tree as the root directory.
 * @throws TSD_DOCKERFILE when nothing is there.
 */
export function* findSources(
  tree: SourceTree,
  pattern: string,
  place: DockerfilePlace,
): Generator<null, SourceMatch[]> {
  const parts = partsOf(pattern, tree, place);
  const paths = parts.some(isGlob) ? yield* expand(tree, parts, place) : [parts.map(unescaped).join('/')];
  const found: SourceMatch[] = [];
  for (const asked of paths) {
    yield null;
    const path = tree.files.resolve(asked);
    const stat = path === null ? null : tree.files.stat(path);
    if (path === null || stat === null || isIgnored(tree, asked, stat) || isIgnored(tree, path, stat)) continue;
    found.push({ path, asked, stat });
  }
  if (found.length > 0) return found;
  const ignored = paths.some((path) => path !== '' && tree.ignore.ignores(toText(path)));
  const why = ignored ? `is left out of ${tree.name} by .dockerignore` : `is not in ${tree.name}`;
  throw dockerfileError(place, `${pattern} ${why}`);
}

/** An ignored directory counts when something in it may be wanted. */
function isIgnored({ ignore }: SourceTree, path: string, stat: BigIntStats): boolean {
  if (path === '' || !ignore.ignores(toText(path))) return false;
  return !(stat.isDirectory() && ignore.mayHoldWanted(toText(path)));
}

function partsOf(pattern: string, { name }: SourceTree, place: DockerfilePlace): string[] {
  const parts: string[] = [];
  if (pattern.includes('\0')) throw dockerfileError(place, 'a source has a NUL byte');
  for (const part of toByteString(pattern).split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) throw dockerfileError(place, `${pattern} leads out of ${name}`);
  }
  return parts;
}

const isGlob = (part: string): boolean => /(?<!\\)[*?[]/.test(part);
const unescaped = (part: string): string => part.replace(/\\(.)/gs, '$1');

/** @param written names the pattern in messages. @throws TSD_DOCKERFILE */
export function globAt(pattern: string, written: string, place: DockerfilePlace): Glob {
  try {
    return pathGlob(pattern);
  } catch (error) {
    if (error instanceof PatternError) throw dockerfileError(place, `${written} ${error.message}`);
    throw error;
  }
}

function* expand(tree: SourceTree, parts: readonly string[], place: DockerfilePlace): Generator<null, string[]> {
  let found: string[] = [''];
  for (const part of parts) {
    if (!isGlob(part)) {
      found = found.map((directory) => join(directory, unescaped(part)));
      continue;
    }
    const glob = globAt(toText(part), toText(part), place);
    const matching: string[] = [];
    for (const directory of found) {
      for (const name of yield* namesIn(tree, directory)) {
        if (glob.test(toText(name))) matching.push(join(directory, name));
        yield null;
      }
    }
    found = matching;
  }
  return found;
}

function* namesIn({ files }: SourceTree, asked: string): Generator<null, string[]> {
  const path = files.resolve(asked);
  return path !== null && files.stat(path)?.isDirectory() ? yield* files.names(path) : [];
}

export const join = (directory: string, name: string): string => (directory === '' ? name : `${directory}/${name}`);
