/** What reading a file that belongs to a spec gives: its bytes, or why there are none. */
import type { FileOwner } from '../model/contents.ts';

/** Larger files do not belong to a spec unless it says so; a bind of one is mounted and not watched. */
export const MAX_CONTENT_BYTES = 1024 ** 2;
export type ReadResult =
  | {
      readonly ok: true;
      readonly bytes: Buffer /** Left out, it is not known, and the file is never pinned. */;
      readonly owner?: FileOwner;
    }
  | {
      readonly ok: false;
      /** `unanswered`: it lies on a filesystem that has not answered, so far. `untrusted`: others may write to it. */
      readonly reason: 'missing' | 'not-a-file' | 'too-large' | 'unreadable' | 'unanswered' | 'untrusted';
      readonly message: string;
      /** What to do about it, where there is something better than for other files that cannot be read. */
      readonly hint?: string;
    };

/** True for a file of which nothing is known now: what it held before counts. */
export function countsAsBefore(read: ReadResult): boolean {
  return !read.ok && (read.reason === 'unanswered' || read.reason === 'untrusted');
}

/** Text of a manifest, or why there is none. */
export type FileContent =
  | { readonly ok: true; readonly text: string }
  | {
      readonly ok: false;
      readonly message: string;
      /** Others may write to the file or its path, so it is not read; what to type about it. */
      readonly refused?: string | undefined;
    };

/**
 * Reads a regular file. Never throws, and never waits for a writer or a filesystem that does not answer.
 * @param maxBytes larger ones are refused; {@link MAX_CONTENT_BYTES} when left out
 */
export type ReadFile = (path: string, maxBytes?: number) => ReadResult;

/** Something wrong with a file, by the field that names it: `envFile.0`, `env.PASSWORD`. */
export interface ContentProblem {
  readonly field: string;
  readonly message: string;
  /** What it holds is not known now, see {@link countsAsBefore}, and no fault of the manifest. */
  readonly unanswered?: boolean;
  /** Others may write to it: what to type about that. */
  readonly refused?: string | undefined;
}
