/** Manual stops as they are recorded. */
import type { Clock, Instant } from '../../../model/clock.ts';
import type { ObservedExit } from '../../../model/observed.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { parseKey } from '../../../model/resource.ts';
import { baseKey } from '../../../model/update.ts';
import type { ContainerRecord, StopOverride } from '../../../state/containers/container-record.ts';
import { endsByStartAlone, isStopped } from '../../plan/stopped.ts';
import type { Declared } from '../declared.ts';

/** What says whether a recorded stop still holds. */
export interface StopPorts extends Declared {
  readonly clock: Clock;
  readonly bootId: string;
}

/** When a manual stop is over, on both clocks; null without an end. */
export function stopEnd({ stopOverride }: ContainerRecord, now: Instant, bootId: string): Instant | null {
  const until = stopOverride?.until ?? null;
  if (until === null) return null;
  const wallMs = Date.parse(until.at);
  return { wallMs, bootMs: until.bootId === bootId ? until.atBootMs : now.bootMs + wallMs - now.wallMs };
}

/** The wall clock is read in whole milliseconds. */
const ROUNDING_MS = 1;

/**
 * Whether a run that has ended is one that a manual stop with an end took away, and not one that had ended before: by the
 * boot clock where both are of this boot, since the wall clock may have been set between the two.
 */
export function tookAway(
  { at, until }: StopOverride,
  exit: Pick<ObservedExit, 'finishedAtWallMs' | 'finishedAtBootMs'>,
  bootId: string,
): boolean {
  const wallMs = Date.parse(at);
  if (until?.bootId !== bootId || exit.finishedAtBootMs === null) return exit.finishedAtWallMs >= wallMs;
  return exit.finishedAtBootMs + ROUNDING_MS >= until.atBootMs - (Date.parse(until.at) - wallMs);
}

/** Returns the spec an op on a container uses: the declaration, or the one the container was made from. */
export interface Purpose {
  readonly key: ResourceKey;
  readonly asMade?: string;
}

/**
 * The stop that holds against what an op is for, or null. The plan of the op knew of none: it was given since, and the
 * op must neither be begun nor forget it.
 */
export function stopAgainst(ports: StopPorts, { key, asMade }: Purpose, record: ContainerRecord): StopOverride | null {
  const { stopOverride, owner } = record;
  if (stopOverride === null) return null;
  const now = ports.clock.now();
  const end = stopEnd(record, now, ports.bootId);
  if (end !== null && end.bootMs <= now.bootMs) return null;
  const { resources, heldBack } = ports.desired();
  const desired = resources.get(baseKey(key));
  const any = asMade !== undefined || endsByStartAlone(desired) || heldBack?.get(parseKey(key).app)?.failed === true;
  const declared = desired?.specHash ?? '';
  const stop = { stopOverride: true, stopHash: stopOverride.specHash, specHash: owner?.specHash ?? '' };
  return isStopped(stop, any ? null : declared) ? stopOverride : null;
}
