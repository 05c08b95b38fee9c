/**
 * Everything the supervisor can do to the world. One variant per operation, with just the data it needs; the planner
 * emits them, `plan` prints them, and ops/<op>.ts carries each one out.
 */

import type { HostPort } from '../model/kinds/short-forms.ts';
import type { ResourceKey, SourcePosition } from '../model/resource.ts';
import type { SignalName } from '../model/signals.ts';
import type { HoldReason } from '../model/status/holds.ts';
import type { UpdateTerms, Version } from '../model/update.ts';

/** Why an op is in the plan, from the user's side: `created in blog.yaml:12:3`, `exited with 1, retry 3`. */
export interface Cause {
  readonly reason:
    | 'declared'
    | 'spec-changed'
    | 'removed'
    | 'missing'
    | 'exited'
    | 'unhealthy'
    | 'drift'
    | 'requested'
    | 'dependency'
    | 'source-changed'
    | 'orphan'
    | 'approved';
  readonly message: string;
  readonly source?: SourcePosition;
}

interface Base<Type extends string> {
  /** Unique within the plan and stable for the same input: `start container/blog/web`. */
  readonly id: string;
  readonly op: Type;
  readonly key: ResourceKey;
  readonly cause: Cause;
  /** Ids of ops that must have succeeded before. */
  readonly dependsOn: readonly string[];
  /** The op belongs to this update, which is recorded before anything is done. */
  readonly update?: UpdateTerms;
}

/** A step of one container's way to what it shall be. */
interface Step<Type extends string> extends Base<Type> {
  readonly containerId: string;
  /**
   * Spec hash of a container that is to be replaced and runs until then: it stays what it was made from, whatever is
   * declared by now, and what fails failed for that. Left out, the present declaration counts.
   */
  readonly asMade?: string;
}

export type Op =
  | (Base<'image.load'> & { readonly specHash: string })
  | Base<'image.release'>
  | Base<'volume.create'>
  /**
   * Puts existing data under this declaration: released data, or its own after labels or onRemove changed.
   */
  | (Base<'volume.adopt'> & { readonly volumeId: string })
  /** Data stays; nothing declares it any more. */
  | Base<'volume.release'>
  | Base<'volume.remove'>
  | Base<'network.ensure'>
  | Base<'network.remove'>
  /** Creates the missing bind sources that the container's mounts ask to create. */
  | Base<'container.make-directories'>
  /** Commits containers/<id>, snapshot, leases, names. */
  | Step<'container.create'>
  /** Namespace, veth, address, ports; repairs drift and changes ports in place. */
  | Step<'container.connect'>
  /**
   * Starts run number `run` with the desired spec. Records that spec and the two counters, and forgets a requested
   * restart and a manual stop.
   */
  | (Step<'container.start'> & {
      readonly run: number;
      readonly restarts: number;
      readonly consecutive: number;
    })
  /**
   * Ends the run. `restart` says that a start follows: the handler first records the restart as requested, so that a
   * crash between the two ops does not leave the container down.
   */
  | (Step<'container.stop'> & {
      readonly timeoutMs: number;
      readonly signal: SignalName;
      readonly restart: boolean;
    })
  /**
   * Takes over the desired spec where only fields of change class in-place differ; `fields` names them. Records the
   * spec and forgets a manual stop and the restart counters, running or not.
   */
  | (Step<'container.update'> & { readonly fields: readonly string[] })
  /**
   * Tells the payload that files it was started with have other content; an update records them afterwards. With
   * `dependencies`, that these run again, which is recorded with it.
   */
  | (Step<'container.signal'> & {
      readonly signals: readonly SignalName[];
      readonly dependencies?: readonly ResourceKey[];
    })
  /** Rewrites the hosts file after the address of a linked container changed. */
  | Step<'container.relink'>
  /**
   * Gives the successor the name and the published ports of container `containerId` (empty: it is gone), which is called
   * `.old` from then on. With a failure it is the way back, and the one that gives way is `.next` again.
   */
  | (Base<'container.cutover'> & {
      readonly containerId: string;
      readonly successorId: string;
      readonly failure: string | null;
    })
  /** The update is over. */
  | Base<'container.settle-update'>
  /** The update has failed: remembers why, and brings the app back to when `from` ran. */
  | (Base<'container.fail-update'> & {
      readonly candidateId: string | null;
      readonly reason: string;
      /** What to do about the op that failed, where one did. */
      readonly hint?: string | undefined;
      readonly rollback: boolean;
      readonly from: Version;
    })
  /**
   * Gives up published ports: all of a container that does not run, or those that a running one exchanges with another one.
   * Address, namespace and leases stay.
   */
  | (Step<'container.withdraw'> & { readonly ports?: readonly HostPort[] })
  | Step<'container.disconnect'>
  | Step<'container.remove'>
  | (Base<'orphan.remove'> & { readonly orphan: { readonly type: string; readonly id: string } });

export type OpType = Op['op'];
export type OpOf<T extends OpType> = Extract<Op, { op: T }>;

/** A container that stays as it is for a reason people want to see. */
export interface Hold {
  readonly key: ResourceKey;
  readonly reason: HoldReason;
  readonly message: string;
  /** What a person can do about it, where the reason says so. */
  readonly hint?: string;
  /** Boot clock, when it will be looked at again; null waits for an event. */
  readonly untilBootMs: number | null;
}

/** Ops in an order in which every op follows those it depends on, and what waits. Frozen; same input, same plan. */
export interface Plan {
  readonly generation: number;
  readonly ops: readonly Op[];
  readonly holds: readonly Hold[];
  /** Keys whose ops are about something else than what failed of them before: their failures are counted from zero. */
  readonly forgiven: ReadonlySet<ResourceKey>;
}
