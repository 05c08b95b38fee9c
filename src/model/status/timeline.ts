import type { ResourceKey, SourcePosition } from '../resource.ts';

/**
 * What a line of the timeline tells of: a changed declaration, an op, the end of a run, the start of one, a resource that
 * waits, a person's request, something in the kernel that differed, a run taken over from an earlier supervisor, probes that
 * came to another result, or the resolver, which began, ended, or was replaced.
 */
export type TimelineKind =
  | 'edit'
  | 'op'
  | 'exit'
  | 'start'
  | 'hold'
  | 'override'
  | 'drift'
  | 'adopt'
  | 'probe'
  | 'resolver';

export interface ContainerNote {
  readonly id: string;
  /** As it was created from; empty where that is not known. */
  readonly image: string;
}

/** Something that happened, as it is kept for people who ask later. */
export interface TimelineEntry {
  /** Counts up in the order in which things were noticed. */
  readonly id: number;
  /** When it happened, Unix time in ms; an exit that is noticed later has an earlier time than its neighbours. */
  readonly atMs: number;
  readonly kind: TimelineKind;
  /** Null when it concerns a manifest as a whole, or none. */
  readonly key: ResourceKey | null;
  readonly generation: number;
  /** The word for it: an op type (`container.create`), a hold's reason, `added`, `stop`. */
  readonly what: string;
  /** False for failures, and for edits that were not taken over. */
  readonly ok: boolean;
  /** Why it happened. */
  readonly cause: string;
  /** What came of it, for people. */
  readonly message: string;
  /** The line of the manifest that led to it. */
  readonly source: SourcePosition | null;
  /** Number of the run that began or ended. */
  readonly run: number | null;
  /** What the container wrote last, for ends and failures. */
  readonly log: readonly string[];
  /** The container: another one may have the key later. Left out where there is none, and where it is not known. */
  readonly container?: ContainerNote;
}

/**
 * True where the message says by itself what happened: `exited with 3`, `unhealthy: connection refused`. Of other entries
 * `what` is to be said as well.
 */
export function messageSaysAll({ kind, what, ok, message }: Pick<TimelineEntry, 'kind' | 'what' | 'ok' | 'message'>) {
  return kind === 'exit' || (kind === 'probe' && !ok) || message === what;
}

/** An entry before it is kept. */
export type TimelineDraft = Omit<TimelineEntry, 'id'>;

/** How much of a log is kept with an entry. */
export const LOG_EXCERPT = { lines: 10, bytes: 2048 } as const;
