/** The phase and conditions of images, volumes and networks. */

import { append } from '../../model/lists.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { HOLD_TRAITS } from '../../model/status/holds.ts';
import type { Condition } from '../../model/status/phases.ts';
import { word } from '../../reconcile/phase.ts';
import { putBack } from '../../reconcile/put-back.ts';
import { datedConditions } from './condition-times.ts';
import type { ViewInput } from './view-input.ts';

export interface ResourceStatus {
  readonly phase: 'Pending' | 'Ready' | 'Failed';
  readonly message: string;
  /** What to do about that. */
  readonly hint: string;
  readonly conditions: readonly Condition[];
}

type Plain = Omit<ResourceStatus, 'conditions' | 'hint'>;

function plain({ loop }: ViewInput, key: ResourceKey, present: boolean): Plain {
  const hold = loop.hold(key);
  const op = loop.inFlight(key);
  if (op) return { phase: 'Pending', message: `${op.op}: ${op.cause.message}` };
  if (!hold) return { phase: present ? 'Ready' : 'Pending', message: '' };
  return {
    phase: HOLD_TRAITS[hold.reason].failure === 'final' ? 'Failed' : present ? 'Ready' : 'Pending',
    message: hold.message,
  };
}

/** Returns the part of the planner's hold that the phase does not express. */
function heldCondition({ loop }: ViewInput, key: ResourceKey, present: boolean): Condition | null {
  const hold = loop.hold(key);
  if (!hold) return null;
  const { reason, message } = hold;
  const because = { status: true, reason: word(reason), message } as const;
  const { condition, parked } = HOLD_TRAITS[reason];
  if (condition === 'Drifted') return { ...because, type: 'Drifted' };
  // What is there is used on, and something that was to be done to it waits.
  if (present) return { ...because, type: 'Held' };
  return parked ? { ...because, type: 'Parked' } : null;
}

function driftHint({ loop, desired }: ViewInput, key: ResourceKey): string {
  const declared = desired.resources.get(key);
  const hold = loop.hold(key);
  return declared && hold && HOLD_TRAITS[hold.reason].condition === 'Drifted' ? putBack(declared) : '';
}

/** Returns phase, message, hint and conditions of a resource. @param present true when it can be used */
export function resourceStatus(input: ViewInput, key: ResourceKey, present: boolean): ResourceStatus {
  const { loop, past, desired } = input;
  const { phase, message } = plain(input, key, present);
  const hold = loop.hold(key);
  const op = loop.inFlight(key);
  const conditions: Condition[] = [{ type: 'Ready', status: phase === 'Ready', reason: phase, message }];
  const held = heldCondition(input, key, present);
  if (held) conditions.push(held);
  const heldBack = desired.heldBack?.get(parseKey(key).app)?.reason;
  if (heldBack !== undefined) conditions.push({ type: 'Held', status: true, reason: 'HeldBack', message: heldBack });
  append(conditions, input.unread.conditions());
  const facts = {
    observed: undefined,
    op: op ? { op, sinceMs: past.opSince(key) } : null,
    heldSinceMs: hold ? past.heldSince(key) : null,
    stoppedAtMs: null,
  };
  return {
    phase,
    message,
    hint: op ? '' : (hold?.hint ?? driftHint(input, key)),
    conditions: datedConditions(conditions, facts),
  };
}
