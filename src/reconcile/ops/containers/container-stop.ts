import { formatTime } from '../../../model/clock.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { type SignalName, signalNumber } from '../../../model/signals.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { OpOf } from '../../op.ts';
import type { ProgressSink } from '../images/image.ts';
import { recordOf, type World } from '../world.ts';

/**
 * When this run was asked to end with this signal, on the boot clock, by a supervisor that ended meanwhile; null when it has
 * to be asked. Within its time it is not asked twice; after that only where the same manual stop still holds: otherwise
 * whoever asked then may have thought better of it.
 */
function askedAt(world: World, record: ContainerRecord, signal: SignalName, timeoutMs: number): number | null {
  const { stopping, stopOverride, run } = record;
  if (stopping?.run !== run || stopping.signal !== signal || stopping.at.bootId !== world.bootId) return null;
  const { atBootMs, at } = stopping.at;
  const isOver = world.clock.now().bootMs - atBootMs > timeoutMs;
  const holds = stopOverride !== null && Date.parse(stopOverride.at) <= Date.parse(at);
  return isOver && !holds ? null : atBootMs;
}

/** Known to supervisors to come; one that cannot be written down is asked again. */
function noteAsked(world: World, { id, run }: ContainerRecord, signal: SignalName): void {
  const record = world.containers.get(id);
  if (record?.run !== run || world.exec.running(id) === null) return;
  const { wallMs, bootMs } = world.clock.now();
  const at = { at: formatTime(wallMs), bootId: world.bootId, atBootMs: bootMs };
  world.containers.updateSoon({ ...record, stopping: { run, signal, at } });
}

async function ask(world: World, record: ContainerRecord, signal: SignalName): Promise<void> {
  try {
    await world.exec.signal(record.id, signalNumber(signal));
    noteAsked(world, record, signal);
  } catch (error) {
    // One that ends just now needs no signal.
    if (world.exec.running(record.id) !== null) throw error;
  }
}

async function endInTime(
  world: World,
  record: ContainerRecord,
  signal: SignalName,
  timeoutMs: number,
  calledOff: AbortSignal | undefined,
): Promise<void> {
  const asked = askedAt(world, record, signal, timeoutMs);
  const since = asked ?? world.clock.now().bootMs;
  const unasked = new AbortController();
  const off = calledOff === undefined ? unasked.signal : AbortSignal.any([calledOff, unasked.signal]);
  const ended = world.stopClocks.within({ containerId: record.id, timeoutMs, since, calledOff: off }, (done) =>
    world.exits.ended(record.id, done),
  );
  try {
    if (world.containers.get(record.id)?.state.status === 'paused') await world.exec.unpause(record.id);
    if (asked === null) await ask(world, record, signal);
  } catch (error) {
    unasked.abort();
    throw error;
  }
  if (await ended) return;
  calledOff?.throwIfAborted();
  await world.exec.kill(record.id);
  await world.exits.ended(record.id, calledOff);
}

/**
 * Asks the payload to end, waits, then kills everything in the container. One that an earlier supervisor asked is not asked
 * again, and has the time that is left.
 * @param calledOff leaves the rest to whoever comes after us, at once; rejects with its reason
 */
export function endRun(
  world: World,
  record: ContainerRecord,
  signal: SignalName,
  timeoutMs: number,
  calledOff?: AbortSignal,
): Promise<void> {
  const work = world.fileReaders.changing(record, 'stopped', () =>
    endInTime(world, record, signal, timeoutMs, calledOff),
  );
  if (calledOff === undefined) return work;
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(calledOff.reason);
    calledOff.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => calledOff.removeEventListener('abort', leave));
  });
}

/** What is said of a run that is left to end by itself. */
function leftAlone(error: unknown, op: OpOf<'container.stop'>): unknown {
  if (!(error instanceof TsdError) || error.code !== 'TSD_CALLED_OFF') return error;
  return new TsdError('TSD_CALLED_OFF', `it was asked to end, and is left alone: ${error.message}`, {
    key: op.key,
    hint: error.hint,
    cause: error,
  });
}

export async function stopContainer(
  world: World,
  op: OpOf<'container.stop'>,
  _progress: ProgressSink,
  signal: AbortSignal,
): Promise<void> {
  const record = recordOf(world, op.containerId);
  // One that was stopped by a person meanwhile is not asked to come back.
  if (op.restart && record.stopOverride === null)
    world.containers.update({ ...record, restart: { ...record.restart, requested: true } });
  if (world.exec.running(op.containerId) === null) return;
  try {
    await endRun(world, record, op.signal, op.timeoutMs, signal);
  } catch (error) {
    throw leftAlone(error, op);
  }
}
