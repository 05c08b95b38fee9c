/** What a plan, a diff and a pending approval show. */
import type { TsdErrorJson } from '../../model/errors/errors.ts';
import type { SourcePosition } from '../../model/resource.ts';
import type { IssueView, ManifestView } from './resource-views.ts';

/** `plan -o json` (issue: ops with id, op, resource, cause, dependsOn). */
export interface PlanView {
  readonly generation: number;
  readonly ops: readonly {
    readonly id: string;
    readonly op: string;
    readonly resource: string;
    readonly cause: string;
    readonly dependsOn: readonly string[];
    readonly source: SourcePosition | null;
  }[];
  readonly holds: readonly {
    readonly resource: string;
    readonly reason: string;
    readonly message: string;
    /** What to do about it; empty where nothing is known. */
    readonly hint: string;
  }[];
  /** Of the manifests that the plan was asked for with. */
  readonly issues: readonly IssueView[];
  /** What waits for a person, in a plan of this moment. */
  readonly approvals: readonly ApprovalView[];
  /** Those that are not in force as they are written, or only in part, in a plan of this moment. */
  readonly manifests: readonly ManifestView[];
  /** Valid declarations that can surprise. Earlier supervisors omit it. */
  readonly notes?: readonly NoteView[];
  /** Files that are not brought along, or count otherwise than one may think. Left out by supervisors of before. */
  readonly fileNotes?: readonly FileNote[];
  /** The ops as lines for people. */
  readonly text: string;
}

/** A remark about a declaration; it keeps nothing from being done. */
export interface NoteView extends SourcePosition {
  readonly resource: string;
  readonly message: string;
  readonly hint: string;
  /** It takes protection away. */
  readonly warning?: true;
}

export interface FileNote {
  /**
   * `live`: a file that is used as it is at the moment. `changed`: an applied manifest whose files are not what they were
   * then. `secret`: one that is newer. `lost`: what cannot be brought back.
   */
  readonly kind: 'live' | 'changed' | 'secret' | 'lost';
  /** Key of the resource, file of the manifest, or path as written. */
  readonly resource: string;
  readonly message: string;
  /** What to do about it; empty where there is nothing to do. */
  readonly hint: string;
}

/** One field that differs between what is applied and what a manifest says. */
export interface DiffView {
  readonly resource: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly fields: readonly {
    readonly path: string;
    readonly from: unknown;
    readonly to: unknown;
    readonly change: string;
  }[];
}

/** What waits for `tsdocker approve`, and what that would lead to. */
export interface ApprovalView {
  /** As `approve` takes it: the watched directory, an app, `volume/APP/NAME`, or `APP@store` beside `APP@copy`. */
  readonly name: string;
  /** `choice`: one of several that exclude each other; it is approved by its name only. */
  readonly kind: 'directory' | 'app' | 'volume' | 'choice';
  /** Why it waits. */
  readonly message: string;
  /** How declarations would change; `deleted` is the data of a volume. */
  readonly changes: readonly { readonly resource: string; readonly change: DiffView['change'] | 'deleted' }[];
}

/** The changes that `tsdocker approve` approved. */
export interface ApprovedView {
  readonly names: readonly string[];
  /** What keeps it from being carried out; null for nothing. */
  readonly postponed: TsdErrorJson | null;
}
