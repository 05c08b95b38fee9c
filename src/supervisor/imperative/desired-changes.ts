/** Changes of what clients made: put into the desired state, waited for, and taken back when the loop cannot make them. */
import type { ApplyEvent } from '../../api/requests.ts';
import type { Clock } from '../../model/clock.ts';
import { TsdError, type TsdErrorJson } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { HOLD_TRAITS } from '../../model/status/holds.ts';
import type { Hold } from '../../reconcile/op.ts';
import type { OpFailureCache } from '../../reconcile/op-failure-cache.ts';
import type { SupervisorEventBus } from '../events.ts';
import type { LoopStatus } from '../loop-status.ts';
import { PATIENCE_MS } from '../requests/container-changes.ts';

export interface ChangePorts {
  readonly loop: Pick<LoopStatus, 'hold' | 'inFlight' | 'ended'>;
  readonly failures: Pick<OpFailureCache, 'clear'>;
  readonly events: Pick<SupervisorEventBus, 'nextChange' | 'on' | 'off'>;
  readonly clock: Clock;
}

/** Nothing changes for so long only when the loop itself is stuck. */
const RECHECK_MS = 500;

function errorOf({ code, message, ...details }: TsdErrorJson): TsdError {
  return new TsdError(code, message, details);
}

/** What failed of some resources since it began to listen. */
class Failures {
  readonly #events: ChangePorts['events'];
  readonly #keys: ReadonlySet<string>;
  error: TsdError | null = null;

  constructor(events: ChangePorts['events'], keys: readonly ResourceKey[]) {
    this.#events = events;
    this.#keys = new Set(keys);
    events.on('op', this.#note);
  }

  readonly #note = (event: Extract<ApplyEvent, { type: 'op' | 'progress' }>): void => {
    if (event.type !== 'op' || event.error === undefined || !this.#keys.has(event.resource)) return;
    this.error ??= errorOf(event.error);
  };

  close(): void {
    this.#events.off('op', this.#note);
  }
}

export interface DesiredChange {
  /** What is waited for; the first is what errors are about. */
  readonly keys: readonly [ResourceKey, ...ResourceKey[]];
  /** Puts the change into the desired state. */
  readonly make: () => void;
  readonly isDone: () => boolean;
  /** Puts back what was wanted before. */
  readonly takeBack: () => void;
  /** How long it may take beside the time that the loop needs. */
  readonly longerMs?: number;
}

type HoldsBefore = ReadonlyMap<ResourceKey, Hold | undefined>;

/** @throws TsdError of the op that failed, or why the loop does not carry it out */
export async function carryOut(ports: ChangePorts, change: DesiredChange): Promise<void> {
  const { keys, make, isDone, takeBack, longerMs = 0 } = change;
  const [key] = keys;
  const ended = ports.loop.ended();
  if (ended !== null) throw new TsdError('TSD_ENGINE_SHUTDOWN', `nothing is done any more: ${ended}`, { key });
  const failures = new Failures(ports.events, keys);
  const deadline = ports.clock.now().bootMs + PATIENCE_MS + longerMs;
  // What failed of something else under that name says nothing.
  for (const one of keys) ports.failures.clear(one);
  // Only a new one says what the loop makes of the change.
  const before: HoldsBefore = new Map(keys.map((one) => [one, ports.loop.hold(one)]));
  try {
    make();
    while (!isDone()) {
      const refused = failures.error ?? heldBack(ports, keys, before);
      if (refused) throw refused;
      const left = deadline - ports.clock.now().bootMs;
      if (left <= 0)
        throw new TsdError('TSD_TIMEOUT', `${key} did not get there within ${PATIENCE_MS / 1000} s`, { key });
      await ports.events.nextChange(Math.min(RECHECK_MS, left));
    }
  } catch (error) {
    takeBack();
    for (const one of keys) ports.failures.clear(one);
    throw error;
  } finally {
    failures.close();
  }
}

/** Why the loop leaves it as it is; null while it may change it. */
function heldBack({ loop }: ChangePorts, keys: readonly ResourceKey[], before: HoldsBefore): TsdError | null {
  for (const key of keys) {
    const hold = loop.inFlight(key) ? undefined : loop.hold(key);
    if (hold === undefined || hold === before.get(key)) continue;
    const { rest, waitsFor } = HOLD_TRAITS[hold.reason];
    if (rest !== null || waitsFor !== null) continue;
    return new TsdError('TSD_CONTAINER_SETUP', hold.message, { key, hint: hold.hint ?? '' });
  }
  return null;
}
