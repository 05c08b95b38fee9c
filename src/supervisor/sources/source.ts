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
  /** Contents of its files when it was applied, or in a restored generation. Absent: the files are followed. */
  readonly pinned?: PinnedSource | undefined;
}

interface PinnedSource extends PinnedContents {
  /** The generation it was applied with or restored to. */
  readonly generation: number;
}

/** By {@link sourceId}. */
export type SourceMap = ReadonlyMap<string, Source>;

/** Returns the id of a source, constant over edits. */
export function sourceId({ kind, origin }: Pick<Source, 'kind' | 'origin'>): string {
  return `${kind} ${origin}`;
}

/** Reports whether a file is in a directory; follows symlinks. */
export function standsIn(directory: string, file: string): boolean {
  if (!isAbsolute(file)) return false;
  try {
    return realpathSync(dirname(file)) === realpathSync(directory);
  } catch {
    // One of them does not exist.
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
