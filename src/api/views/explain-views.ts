/** API views of the past: generations, events, and the explanation of a state. */
import type { Actor } from '../../model/actor.ts';
import type { ResourceKey, SourcePosition } from '../../model/resource.ts';
import type { Phase } from '../../model/status/phases.ts';
import type { TimelineKind } from '../../model/status/timeline.ts';

/** One generation of the desired state and what it changed. */
export interface HistoryView {
  readonly generation: number;
  /** RFC 3339. */
  readonly at: string;
  /** `edited blog.yaml`. */
  readonly cause: string;
  /** Who made it; null where that is not known, and for what was not requested. */
  readonly by: Actor | null;
  readonly current: boolean;
  /** `specification`: file contents are no longer kept, or never were; a rollback restores the rest. */
  readonly keeps: 'contents' | 'specification';
  readonly files: readonly { readonly file: string; readonly change: 'added' | 'changed' | 'removed' | 'content' }[];
  readonly resources: readonly { readonly resource: ResourceKey; readonly change: 'added' | 'changed' | 'removed' }[];
  /** Apps that stay as they were in an earlier generation. */
  readonly held: readonly { readonly app: string; readonly generation: number; readonly reason: string }[];
}

/** One event of the timeline. */
export interface EventView {
  /** Counts up in the order in which things were noticed. */
  readonly id: number;
  /** RFC 3339. */
  readonly time: string;
  readonly kind: TimelineKind;
  readonly resource: ResourceKey | null;
  readonly generation: number;
  /** An op type, a hold's reason, `added`, `stop`: the word for what happened. */
  readonly what: string;
  readonly ok: boolean;
  readonly cause: string;
  readonly message: string;
  readonly source: SourcePosition | null;
  readonly run: number | null;
  /** What the container wrote last, for ends and failures. */
  readonly log: readonly string[];
}

export interface EventOptions {
  readonly follow: boolean;
  /** Unix time in ms; null begins with the oldest entry, or with new ones when `follow` is set. */
  readonly sinceMs: number | null;
}

/** A step of the chain that led to how a resource is now. */
export interface WhyStep {
  /** RFC 3339. */
  readonly at: string;
  readonly kind: TimelineKind;
  readonly ok: boolean;
  /** `exited with 3 (run 2)`. */
  readonly text: string;
  readonly cause: string;
  readonly generation: number;
  readonly source: SourcePosition | null;
  readonly log: readonly string[];
  /** How often the same happened in a row, this step being the last of them. */
  readonly times: number;
}

/** Why a resource is as it is: from the edit that declared it so to what holds it now. */
export interface WhyView {
  readonly resource: ResourceKey;
  readonly phase: Phase | 'Ready' | 'Released';
  readonly message: string;
  readonly source: SourcePosition | null;
  /** Oldest first; begins with the latest edit of its declaration where that is still known. */
  readonly steps: readonly WhyStep[];
  /** Its present state: its hold, its manifest, resources that it needs. */
  readonly now: readonly string[];
  /** What to do about it; empty where nothing is known. */
  readonly hint: string;
}
