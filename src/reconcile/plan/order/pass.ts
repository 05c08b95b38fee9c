import type { Instant } from '../../../model/clock.ts';
import type { Desired, DesiredState } from '../../../model/desired.ts';
import type { ObservedState } from '../../../model/observed.ts';
import { parseKey, type ResourceKey } from '../../../model/resource.ts';
import type { HoldReason } from '../../../model/status/holds.ts';
import { baseKey } from '../../../model/update.ts';
import type { Hold } from '../../op.ts';
import type { Relations } from '../scope.ts';
import type { OpGraph } from './op-graph.ts';

export interface PlanInput {
  readonly desired: DesiredState;
  /** Covers at least `scope`, its dependencies, and the users of resources to be removed. */
  readonly observed: ObservedState;
  readonly now: Instant;
  /** Random string, constant for the life of a supervisor: the source of container ids and jitter. */
  readonly seed: string;
  /** Keys to reconcile, with their dependencies; null for all. */
  readonly scope: ReadonlySet<ResourceKey> | null;
  /** Keys with ops in flight from another plan. They get no ops. */
  readonly busy: ReadonlySet<ResourceKey>;
}

/** Whether dependents can use a resource: now, after an op of this plan, or not. */
export type Availability =
  | { readonly state: 'ready' /** Op that makes it ready; null when it is ready now. */; readonly after: string | null }
  | Blocked;

export interface Blocked {
  readonly state: 'blocked';
  readonly busy: boolean;
  readonly message: string;
  /** What a person can do about that. */
  readonly hint?: string | undefined;
}

export const READY_NOW: Availability = { state: 'ready', after: null };

/** The state of one run of the planner. */
export interface Pass extends PlanInput {
  readonly relations: Relations;
  /** `scope` with its dependencies; null for all. Loops run over it, so that the cost follows the scope. */
  readonly reach: ReadonlySet<ResourceKey> | null;
  readonly graph: OpGraph;
  readonly holds: Map<ResourceKey, Hold>;
  /** Of images, volumes and networks. Containers are asked by `containerAvailability`. */
  readonly availability: Map<ResourceKey, Availability>;
  /** Networks that cannot be recreated now, with the container that cannot leave them. */
  readonly pinned: ReadonlyMap<ResourceKey, ResourceKey>;
  /** See {@link Plan}. */
  readonly forgiven: Set<ResourceKey>;
  /** Containers whose ops wait in this plan for an image to be loaded. */
  readonly loading: Set<ResourceKey>;
  /** Declarations of containers that are created beside those they will replace. */
  readonly successors: Desired<'container'>[];
  /** The specs that containers under replacement were made from; they are kept up as that. */
  readonly predecessors: Map<ResourceKey, Desired<'container'>>;
}

function inScope(pass: Pass, key: ResourceKey): boolean {
  return pass.reach === null || pass.reach.has(key);
}

/** Returns the values of the map whose keys are in scope. */
export function scoped<T>({ reach }: Pass, map: ReadonlyMap<ResourceKey, T>): Iterable<T> {
  return reach === null ? map.values() : inReach(reach, map);
}

export function* inReach<T>(reach: ReadonlySet<ResourceKey>, map: ReadonlyMap<ResourceKey, T>): Generator<T> {
  for (const key of reach) {
    const value = map.get(key);
    if (value !== undefined) yield value;
  }
}

/**
 * Reports whether an existing resource is not declared any more. False for an app whose manifest cannot be used: its
 * resources stay as they are, and a hold on its containers says so.
 */
export function undeclared(pass: Pass, key: ResourceKey): boolean {
  // Successors and predecessors are planned with their container.
  if (pass.desired.resources.has(key) || pass.desired.resources.has(baseKey(key))) return false;
  const { kind, app } = parseKey(key);
  if (pass.desired.untouched?.has(app) !== true) return true;
  if (kind !== 'container') return false;
  const why = pass.desired.uncertain?.get(app);
  if (why === undefined) hold(pass, key, 'unavailable', 'its manifest cannot be used; left as it is');
  else hold(pass, key, 'needs-approval', `${why}; left as it is`, null, uncertainHint(app));
  return false;
}

/** Returns the hint for an app whose declaration is not certain. */
export function uncertainHint(app: string): string {
  return `\`tsdocker plan\` shows what ${app} may be declared as, and the \`tsdocker approve\` of each.`;
}

export function blocked(message: string, busy = false, hint?: string): Availability {
  return { state: 'blocked', busy, message, hint };
}

export function hold(
  pass: Pass,
  key: ResourceKey,
  reason: HoldReason,
  message: string,
  untilBootMs: number | null = null,
  hint?: string,
): void {
  pass.holds.set(key, Object.freeze({ key, reason, message, ...(hint !== undefined && { hint }), untilBootMs }));
}

/** Spec hash under which the failure of an op on a resource that is not declared is recorded. */
export const REMOVED = '';

/**
 * Returns the hold for an earlier failure of the key's ops. Null when the key may be tried: nothing failed, the spec has
 * changed, or the retry time has come.
 */
export function failureHold(pass: Pass, key: ResourceKey, desired: Desired | undefined): Hold | null {
  const failure = pass.observed.failures.get(key);
  if (!failure || failure.specHash !== (desired?.specHash ?? REMOVED)) return null;
  const { retryAtBootMs: untilBootMs, message } = failure;
  const hint = failure.hint ? { hint: failure.hint } : {};
  if (untilBootMs !== null && untilBootMs <= pass.now.bootMs) return null;
  if (untilBootMs !== null) return { key, reason: 'backing-off', message, ...hint, untilBootMs };
  if (failure.class === 'data-loss' && pass.observed.approvals.has(key)) return null;
  return { key, reason: failure.class === 'data-loss' ? 'needs-approval' : 'failed', message, ...hint, untilBootMs };
}

/** Reports whether ops of the key may be planned. Records the hold of an earlier failure. */
export function mayAct(pass: Pass, key: ResourceKey, desired: Desired | undefined): boolean {
  if (!inScope(pass, key) || pass.busy.has(key)) return false;
  const failed = failureHold(pass, key, desired);
  if (failed) pass.holds.set(key, Object.freeze(failed));
  return failed === null;
}

/** Returns why a resource without a planned op is blocked: it is busy, held, or absent. */
export function availabilityOfHeld(pass: Pass, key: ResourceKey): Availability {
  if (pass.busy.has(key)) return blocked(`${key} is being changed`, true);
  const reason = pass.holds.get(key);
  return reason ? blocked(`${key}: ${reason.message}`, false, reason.hint) : blocked(`${key} is not there`);
}
