/** What files held when a manifest was accepted: their hashes, and copies of those that are kept. */
import type { ResourceKey } from './resource.ts';

/** A copy of a file, kept below the root: equal content with equal mode and owner is one copy. */
export interface FileCopy {
  /** `<sha256>-<mode>-<uid>-<gid>`, the mode in octal. */
  readonly name: string;
  readonly bytes: number;
}

/** Permission bits and owner of a file. */
export interface FileOwner {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

const COPY_NAME = /^([0-9a-f]{64})-([0-7]{4})-(\d{1,10})-(\d{1,10})$/;

export function copyName(sha256: string, { mode, uid, gid }: FileOwner): string {
  return `${sha256}-${(mode & 0o7777).toString(8).padStart(4, '0')}-${uid}-${gid}`;
}

/** Null for a name that is none. */
export function parseCopyName(name: string): (FileOwner & { readonly sha256: string }) | null {
  const [, sha256, mode, uid, gid] = COPY_NAME.exec(name) ?? [];
  if (sha256 === undefined || mode === undefined) return null;
  return { sha256, mode: Number.parseInt(mode, 8), uid: Number(uid), gid: Number(gid) };
}

/** Of one resource, by path as written. */
export interface ResourceContents {
  readonly hashes: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, FileCopy>>;
  /** Paths of secrets: there is no copy of these, whatever happens. */
  readonly secrets?: readonly string[];
  /** Of a build: the images that its Dockerfile uses. */
  readonly images?: readonly string[];
}

/** Of one manifest. */
export interface SourceContents {
  readonly resources: Readonly<Record<ResourceKey, ResourceContents>>;
  /** Files that the text itself was read with, by absolute path; null for one that was not there. */
  readonly reads: Readonly<Record<string, FileCopy | null>>;
}

/** By the id of the manifest's source. */
export type Contents = Readonly<Record<string, SourceContents>>;

/** Every copy that is named, by name. */
export function copiesOf(contents: Iterable<SourceContents>): Map<string, FileCopy> {
  const copies = new Map<string, FileCopy>();
  for (const { resources, reads } of contents) {
    for (const { files } of Object.values(resources)) {
      for (const copy of Object.values(files)) copies.set(copy.name, copy);
    }
    for (const copy of Object.values(reads)) if (copy !== null) copies.set(copy.name, copy);
  }
  return copies;
}

/** A file of a container that runs with what it holds at the moment, not with a copy. */
export interface LiveFile {
  /** As written. */
  readonly path: string;
  readonly reason: string;
}
