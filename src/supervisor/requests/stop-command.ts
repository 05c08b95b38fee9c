/** `stop`: a manual stop, which holds until `start` or a changed spec. */
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import { type Clock, formatTime } from '../../model/clock.ts';
import type { DesiredState } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { HOLD_TRAITS } from '../../model/status/holds.ts';
import type { StopClocks } from '../../reconcile/ops/containers/stop-clocks.ts';
import { describeStop } from '../../reconcile/plan/restart.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { LoopStatus } from '../loop-status.ts';
import type { Timeline } from '../timeline.ts';
import { requireWaiting } from './cancelled-wait.ts';
import { type ContainerChanges, endsWithin, keyOf } from './container-changes.ts';

export interface StopPorts {
  readonly changes: ContainerChanges;
  desired(): DesiredState;
  readonly clock: Clock;
  readonly bootId: string;
  readonly exec: Pick<ExecDriver, 'running'>;
  readonly stopClocks: Pick<StopClocks, 'change'>;
  readonly loop: Pick<LoopStatus, 'enqueue' | 'hold' | 'inFlight'>;
  readonly timeline: Pick<Timeline, 'override'>;
}

/**
 * @param timeoutMs shortens or lengthens the time to end
 * @param forMs the stop is over after this long; null for no such end
 * @param signal ends the wait; the stop continues
 * @throws TSD_DISK_FULL when the container is down and that it shall stay so could not be written down
 */
export async function stopContainer(
  ports: StopPorts,
  record: ContainerRecord,
  timeoutMs: number | null,
  forMs: number | null,
  signal?: AbortSignal,
): Promise<void> {
  const { changes, exec, loop, timeline, stopClocks } = ports;
  const key = keyOf(record);
  const now = ports.clock.now();
  const until =
    forMs === null ? null : { at: formatTime(now.wallMs + forMs), bootId: ports.bootId, atBootMs: now.bootMs + forMs };
  const specHash = ports.desired().resources.get(key)?.specHash ?? null;
  const override = { at: formatTime(now.wallMs), specHash, until };
  const how = describeStop({ stopUntil: forMs === null ? null : { wallMs: now.wallMs + forMs, bootMs: 0 } });
  const unrecorded = await changes.makeWithoutRoom(record, (current) => ({
    ...current,
    stopOverride: override,
    stopTimeoutMs: timeoutMs,
    restart: { ...current.restart, requested: false },
  }));
  timeline.override(key, 'stop', `asked to stop; ${how}`);
  if (timeoutMs !== null) stopClocks.change(record.id, timeoutMs);
  const before = loop.hold(key);
  loop.enqueue([key]);
  const isDown = (current: ContainerRecord | undefined): boolean => {
    const running = current !== undefined && exec.running(current.id) !== null;
    const hold = loop.hold(key);
    // A change that failed before is tried, and fails, again and again; that is not the stop.
    const isNews = hold?.reason !== before?.reason || hold?.message !== before?.message;
    if (running && hold && isNews && HOLD_TRAITS[hold.reason].failure !== null) {
      throw new TsdError('TSD_CONTAINER_SETUP', `container ${record.engineName} was not stopped: ${hold.message}`, {
        key,
        hint: 'It is tried again until it is down; nothing else waits for it.',
      });
    }
    return !running && !loop.inFlight(key);
  };
  await changes.until(key, endsWithin(record, timeoutMs), isDown, signal);
  requireWaiting(signal, key, `The stop continues; \`tsdocker start ${record.engineName}\` takes it back.`);
  if (unrecorded) throw unrecorded;
}
