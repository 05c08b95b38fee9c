/** A manifest as the supervisor has it. */
import { realpathSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import type { PinnedContents } from '../../manifest/resolve/universe.ts';
import type { WatchedFile } from '../../manifest/source/settle.ts';
import type { SourceKind, SourceText } from '../../state/history/source-store.ts';

export interface Source {
  readonly kind: SourceKind;
  /** Absolute path of the file, or the name it was applied under. */
  readonly origin: string;
  /** Relative paths start here. */
  readonly baseDir: string;
  readonly content: WatchedFile['content'];
  /** What its files held when it was applied, or in a generation that was brought back. Left out, they count as they are. */
  readonly pinned?: PinnedSource | undefined;
}

interface PinnedSource extends PinnedContents {
  /** The generation that it was applied with, or that it was brought back to. */
  readonly generation: number;
}

/** By {@link sourceId}. */
export type SourceMap = ReadonlyMap<string, Source>;

/** The same over edits. */
export function sourceId({ kind, origin }: Pick<Source, 'kind' | 'origin'>): string {
  return `${kind} ${origin}`;
}

/** True for a file of a directory, links on the way followed. */
export function standsIn(directory: string, file: string): boolean {
  if (!isAbsolute(file)) return false;
  try {
    return realpathSync(dirname(file)) === realpathSync(directory);
  } catch {
    // One of them is not there.
    return false;
  }
}

export function originOf(id: string): string {
  return id.slice(id.indexOf(' ') + 1);
}

/** A manifest as a generation stored it. */
export function storedSource({ kind, origin, baseDir, text }: SourceText): Source {
  return { kind, origin, baseDir, content: { ok: true, text } };
}

export function bySourceId(sources: Iterable<Source>): Map<string, Source> {
  return new Map([...sources].map((source) => [sourceId(source), source]));
}
