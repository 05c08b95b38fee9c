/** Since when conditions are as they are, out of what is known of runs, requests, waits and operations. Pure. */
import { formatTime } from '../../model/clock.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import type { Condition } from '../../model/status/phases.ts';
import type { Op } from '../../reconcile/op.ts';

/** Unix times in ms; null where it is not known. */
export interface ConditionFacts {
  readonly observed: ObservedContainer | undefined;
  /** The op on it that is being carried out, and when it began. */
  readonly op: { readonly op: Op; readonly sinceMs: number | null } | null;
  /** When its current wait was last reported. */
  readonly heldSinceMs: number | null;
  readonly stoppedAtMs: number | null;
}

/** `container.start` as the word for programs: `ContainerStart`. */
function word(op: Op): string {
  return op.op.replace(/(?:^|\.)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** Since when a run is as ready as it is; its probes use the boot clock. */
function readinessSince({ health, startedAtWallMs, startedAtBootMs }: ObservedContainer): number | null {
  if (!health || health.state === 'starting') return startedAtWallMs;
  if (health.readySinceBootMs === null || startedAtWallMs === null || startedAtBootMs === null) return null;
  return startedAtWallMs + Math.round(health.readySinceBootMs - startedAtBootMs);
}

function sinceMs({ type, status }: Condition, { observed, heldSinceMs, stoppedAtMs }: ConditionFacts): number | null {
  const ended = observed?.running === false ? (observed.exit?.finishedAtWallMs ?? null) : null;
  switch (type) {
    case 'Ready':
    case 'Healthy':
      if (observed?.running === true) return readinessSince(observed);
      return status ? ended : (ended ?? heldSinceMs);
    case 'Stopped':
      return stoppedAtMs;
    default:
      return heldSinceMs;
  }
}

/** Each condition with its time where that is known, and `Progressing` while something is being done. */
export function datedConditions(conditions: readonly Condition[], facts: ConditionFacts): readonly Condition[] {
  const dated = conditions.map((condition) => {
    if (condition.since !== undefined) return condition;
    const at = sinceMs(condition, facts);
    return at === null ? condition : { ...condition, since: formatTime(at) };
  });
  if (facts.op === null) return dated;
  const { op, sinceMs: at } = facts.op;
  const progressing: Condition = {
    type: 'Progressing',
    status: true,
    reason: word(op),
    message: op.cause.message,
    ...(at !== null && { since: formatTime(at) }),
  };
  return [...dated, progressing];
}
