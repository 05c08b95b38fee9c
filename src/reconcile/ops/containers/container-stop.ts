import type { ExecDriver } from '../../../drivers/contract/exec.ts';
import type { Clock } from '../../../model/clock.ts';
import { formatTime } from '../../../model/clock.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ProgressSink } from '../../../model/progress.ts';
import { type SignalName, signalNumber } from '../../../model/signals.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { ExitRecorder } from '../../exits.ts';
import type { OpOf } from '../../op.ts';
import { recordOf } from '../declared.ts';
import type { FileReaders } from '../file-readers.ts';
import type { StopClocks } from './stop-clocks.ts';

/** What ends a run, and what remembers when it was asked to end. */
export interface EndPorts {
  readonly clock: Clock;
  readonly bootId: string;
  readonly containers: Pick<ContainerStore, 'get' | 'updateSoon'>;
  readonly exec: Pick<ExecDriver, 'running' | 'signal' | 'kill' | 'unpause'>;
  readonly exits: Pick<ExitRecorder, 'ended'>;
  readonly fileReaders: Pick<FileReaders, 'changing'>;
  readonly stopClocks: Pick<StopClocks, 'within'>;
}

export interface StopContainerPorts extends EndPorts {
  readonly containers: EndPorts['containers'] & Pick<ContainerStore, 'update'>;
}

/**
 * Returns when an earlier supervisor sent this signal to the run, on the boot clock; null when the signal has to be sent.
 * Within the stop timeout it is not sent twice. Later the earlier request counts only while the same manual stop is in
 * force, since it may have been withdrawn.
 */
function askedAt(ports: EndPorts, record: ContainerRecord, signal: SignalName, timeoutMs: number): number | null {
  const { stopping, stopOverride, run } = record;
  if (stopping?.run !== run || stopping.signal !== signal || stopping.at.bootId !== ports.bootId) return null;
  const { atBootMs, at } = stopping.at;
  const isOver = ports.clock.now().bootMs - atBootMs > timeoutMs;
  const holds = stopOverride !== null && Date.parse(stopOverride.at) <= Date.parse(at);
  return isOver && !holds ? null : atBootMs;
}

/** Records the request for later supervisors. If it cannot be stored, they repeat it. */
function noteAsked(ports: EndPorts, { id, run }: ContainerRecord, signal: SignalName): void {
  const record = ports.containers.get(id);
  if (record?.run !== run || ports.exec.running(id) === null) return;
  const { wallMs, bootMs } = ports.clock.now();
  const at = { at: formatTime(wallMs), bootId: ports.bootId, atBootMs: bootMs };
  ports.containers.updateSoon({ ...record, stopping: { run, signal, at } });
}

/** How a payload is asked to end. @param signal 0 for one that was asked, of whose time something is left */
export type Ask = (signal: number, leftMs: number) => Promise<void>;

export interface RunEnd {
  readonly signal: SignalName;
  readonly timeoutMs: number;
  /** Left out, the signal is sent. */
  readonly ask?: Ask;
  /** Aborts the wait at once and rejects with its reason; a later supervisor continues. */
  readonly cancelled?: AbortSignal | undefined;
}

function bySignal(ports: EndPorts, record: ContainerRecord): Ask {
  return async (signal) => {
    if (signal !== 0) await ports.exec.signal(record.id, signal);
  };
}

async function ask(
  ports: EndPorts,
  record: ContainerRecord,
  signal: SignalName | null,
  send: () => Promise<void>,
): Promise<void> {
  try {
    await send();
    if (signal !== null) noteAsked(ports, record, signal);
  } catch (error) {
    // One that ends just now needs no signal.
    if (ports.exec.running(record.id) !== null) throw error;
  }
}

async function endInTime(
  ports: EndPorts,
  record: ContainerRecord,
  { signal, timeoutMs, cancelled, ask: send = bySignal(ports, record) }: RunEnd,
): Promise<void> {
  cancelled?.throwIfAborted();
  const asked = askedAt(ports, record, signal, timeoutMs);
  const now = ports.clock.now().bootMs;
  const since = asked ?? now;
  const unasked = new AbortController();
  const off = cancelled === undefined ? unasked.signal : AbortSignal.any([cancelled, unasked.signal]);
  const onChange = (leftMs: number): void => void send(0, leftMs).catch(() => {});
  const ended = ports.stopClocks.within(
    { containerId: record.id, timeoutMs, since, cancelled: off, onChange },
    (done) => ports.exits.ended(record.id, done),
  );
  try {
    if (ports.containers.get(record.id)?.state.status === 'paused') await ports.exec.unpause(record.id);
    const first = asked === null ? signal : null;
    const leftMs = Math.max(0, timeoutMs - (now - since));
    await ask(ports, record, first, () => send(first === null ? 0 : signalNumber(first), leftMs));
  } catch (error) {
    unasked.abort();
    throw error;
  }
  if (await ended) return;
  cancelled?.throwIfAborted();
  await ports.exec.kill(record.id);
  await ports.exits.ended(record.id, cancelled);
}

/**
 * Asks the payload to end, waits, then kills everything in the container. One that an earlier supervisor asked is not asked
 * again, and has the time that is left.
 */
export function endRun(ports: EndPorts, record: ContainerRecord, end: RunEnd): Promise<void> {
  const { cancelled } = end;
  const work = ports.fileReaders.changing(record, 'stopped', () => endInTime(ports, record, end));
  if (cancelled === undefined) return work;
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(cancelled.reason);
    cancelled.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => cancelled.removeEventListener('abort', leave));
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
  ports: StopContainerPorts,
  op: OpOf<'container.stop'>,
  _progress: ProgressSink,
  signal: AbortSignal,
): Promise<void> {
  const record = recordOf(ports, op.containerId);
  // One that was stopped by a person meanwhile is not asked to come back.
  if (op.restart && record.stopOverride === null)
    ports.containers.update({ ...record, restart: { ...record.restart, requested: true } });
  if (ports.exec.running(op.containerId) === null) return;
  try {
    await endRun(ports, record, { signal: op.signal, timeoutMs: op.timeoutMs, cancelled: signal });
  } catch (error) {
    throw leftAlone(error, op);
  }
}
