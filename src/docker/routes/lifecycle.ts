/** Runs of containers: start, stop, signals, and their end. */
import { DEFAULT_NETWORK } from '../../model/network-mode.ts';
import { readSignal, type SignalName, signalName } from '../../model/signals.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { isRestarting } from '../../supervisor/imperative/restarting.ts';
import { containerEvent, subjectOf } from '../events/container-events.ts';
import { engineNameOf } from '../names.ts';
import { containerOf, isPaused, requireRunning } from '../streams/containers.ts';
import { killed, stopped, stopTimeOf } from '../streams/endings.ts';
import { failureOf, startError } from '../streams/start-error.ts';
import { conditionOf, waitFor } from '../streams/wait.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';

const DONE: DockerReply = { type: 'empty', status: 204 };
const NOTHING_TO_DO: DockerReply = { type: 'empty', status: 304 };

/** Versions from here on have a signal of their own for stop and restart. */
const STOP_SIGNAL = 42;
/** Versions from here on wait with a condition, and get the head of the answer at once. */
const CONDITIONS = 30;

const runs = ({ docker }: DockerCall, { id }: ContainerRecord): boolean => docker.exec.running(id) !== null;

async function start(call: DockerCall): Promise<DockerReply> {
  const record = containerOf(call);
  if (isPaused(record)) throw new DockerError(409, 'cannot start a paused container, try unpause instead');
  if (runs(call, record) && record.stopOverride === null) return NOTHING_TO_DO;
  requireNetworks(call, record);
  await begun(call, record, () => call.docker.commands.starts.begin(record, call.signal));
  return DONE;
}

/** A network goes while a container that is on it does not run. @throws DockerError 404 */
function requireNetworks({ docker }: DockerCall, { owner }: ContainerRecord): void {
  const declared = owner?.request && docker.desired().resources.get(owner.key);
  for (const key of declared?.references.networks ?? [])
    if (key !== DEFAULT_NETWORK && !docker.desired().resources.has(key))
      throw new DockerError(404, `network ${engineNameOf(key)} not found`);
}

async function begun({ docker }: DockerCall, { id }: ContainerRecord, begin: () => Promise<void>): Promise<void> {
  try {
    await begin();
  } catch (thrown) {
    const record = docker.containers.get(id);
    const failure = record === undefined ? null : failureOf(thrown, record);
    if (record !== undefined && failure !== null) docker.failedStarts.note(record, failure);
    await docker.imperative.containers.startFailed(id);
    throw startError(thrown, failure);
  }
}

/** @throws DockerError 400 */
function signalOf(text: string): SignalName {
  const number = readSignal(text);
  if (number === null) throw new DockerError(400, `invalid signal: ${text}`);
  return signalName(number);
}

function stopSignalOf(call: DockerCall): SignalName | null {
  const text = call.minor >= STOP_SIGNAL ? call.query.text('signal') : '';
  return text === '' ? null : signalOf(text);
}

async function stop(call: DockerCall): Promise<DockerReply> {
  const record = containerOf(call);
  const [timeoutMs, signal] = [stopTimeOf(call.query), stopSignalOf(call)];
  if (!runs(call, record) && record.state.status !== 'restarting' && !isRestarting(record)) return NOTHING_TO_DO;
  await stopped(call, record, timeoutMs, signal);
  return DONE;
}

async function restart(call: DockerCall): Promise<DockerReply> {
  const record = containerOf(call);
  const [timeoutMs, signal] = [stopTimeOf(call.query), stopSignalOf(call)];
  requireNetworks(call, record);
  if (signal !== null && runs(call, record)) await stopped(call, record, timeoutMs, signal);
  await begun(call, record, () => call.docker.commands.starts.beginAgain(record, timeoutMs, call.signal));
  return DONE;
}

async function kill(call: DockerCall): Promise<DockerReply> {
  const record = containerOf(call);
  const name = param(call, 'id');
  const text = call.query.text('signal');
  const number = readSignal(text === '' ? 'KILL' : text);
  if (number === null) throw new DockerError(400, `cannot kill container: ${name}: invalid signal: ${text}`);
  if (!runs(call, record))
    throw new DockerError(409, `cannot kill container: ${name}: container ${record.id} is not running`);
  await killed(call, record, signalName(number));
  return DONE;
}

async function pause(call: DockerCall): Promise<DockerReply> {
  const record = containerOf(call);
  requireRunning(call, record);
  if (!(await call.docker.pauses.hold(record))) throw new DockerError(409, `Container ${record.id} is already paused`);
  call.docker.bus.emit(containerEvent(subjectOf(record), 'pause'));
  return DONE;
}

async function unpause(call: DockerCall): Promise<DockerReply> {
  const record = containerOf(call);
  const isPausedNow = runs(call, record) && (await call.docker.pauses.release(record));
  if (!isPausedNow) throw new DockerError(500, `Container ${record.id} is not paused`);
  call.docker.bus.emit(containerEvent(subjectOf(record), 'unpause'));
  return DONE;
}

async function* outcome(code: Promise<number>): AsyncGenerator<unknown> {
  yield { StatusCode: await code };
}

async function wait(call: DockerCall): Promise<DockerReply> {
  const { docker, minor, query, signal } = call;
  const condition = minor < CONDITIONS ? 'not-running' : conditionOf(query.text('condition'));
  const record = containerOf(call);
  const code = waitFor(docker, record, condition, signal);
  return minor < CONDITIONS ? json({ StatusCode: await code }) : { type: 'lines', items: outcome(code) };
}

async function resize(call: DockerCall): Promise<DockerReply> {
  const [rows, columns] = [call.query.number('h') ?? 0, call.query.number('w') ?? 0];
  const record = containerOf(call);
  requireRunning(call, record);
  await call.docker.exec.resize(record.id, rows, columns);
  const size = { height: `${rows}`, width: `${columns}` };
  call.docker.bus.emit(containerEvent(subjectOf(record), 'resize', size));
  return { type: 'empty', status: 200 };
}

export const lifecycleRoutes: readonly DockerRoute[] = [
  route('POST', '/containers/{id}/start', start),
  route('POST', '/containers/{id}/stop', stop),
  route('POST', '/containers/{id}/restart', restart),
  route('POST', '/containers/{id}/kill', kill),
  route('POST', '/containers/{id}/pause', pause),
  route('POST', '/containers/{id}/unpause', unpause),
  route('POST', '/containers/{id}/wait', wait),
  route('POST', '/containers/{id}/resize', resize),
];
