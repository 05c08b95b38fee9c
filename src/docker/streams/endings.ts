/** Ends runs as clients ask for it: with a time and a signal of theirs, and so that a policy does not start them again. */
import { formatTime } from '../../model/clock.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { type SignalName, signalNumber } from '../../model/signals.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { keyOf } from '../../supervisor/requests/container-changes.ts';
import { killContainer } from '../../supervisor/requests/signal-commands.ts';
import { stopContainer } from '../../supervisor/requests/stop-command.ts';
import type { DockerParts } from '../docker-parts.ts';
import { DockerError } from '../wire/docker-error.ts';
import type { Query } from '../wire/query.ts';
import type { DockerCall } from '../wire/route.ts';

/** A time to end that never comes, as far as timers reach. */
const NEVER_MS = 2 ** 31 - 1;
const DEFAULT_SIGNAL = 'SIGTERM';

/** Null for the container's own. @throws DockerError 400 */
export function stopTimeOf(query: Query): number | null {
  const seconds = query.number('t');
  if (seconds === null) return null;
  return seconds < 0 ? NEVER_MS : Math.min(seconds * 1000, NEVER_MS);
}

const stopSignalOf = ({ owner }: ContainerRecord): SignalName =>
  (owner?.written as ContainerSpec | undefined)?.stopSignal ?? DEFAULT_SIGNAL;

/** The loop takes the run for one that was asked already: it waits for the end, and sends nothing but the last signal. */
function askedToEnd({ clock, commands }: DockerParts, record: ContainerRecord): ContainerRecord['stopping'] {
  const { wallMs, bootMs } = clock.now();
  const at = { at: formatTime(wallMs), bootId: commands.stops.bootId, atBootMs: bootMs };
  return { run: record.run, signal: stopSignalOf(record), at };
}

/** @param signal in place of the container's own */
export async function stopped(
  { docker, signal: gone }: DockerCall,
  record: ContainerRecord,
  timeoutMs: number | null,
  signal: SignalName | null,
): Promise<void> {
  const { stops } = docker.commands;
  if (signal === null || signal === stopSignalOf(record))
    return await stopContainer(stops, record, timeoutMs, null, gone);
  await docker.exec.signal(record.id, signalNumber(signal));
  const current = docker.containers.get(record.id);
  if (current?.run === record.run) docker.containers.updateSoon({ ...current, stopping: askedToEnd(docker, current) });
  await stopContainer(stops, record, timeoutMs, null, gone);
}

/** Containers of manifests follow their policy after it, as after `tsdocker kill`. */
const isOfClients = (record: ContainerRecord): boolean => record.owner?.key.startsWith('container/@docker/') === true;

/** A client that kills its container does not want it back. */
export async function killed({ docker }: DockerCall, record: ContainerRecord, signal: SignalName): Promise<void> {
  const { kills, stops } = docker.commands;
  const ends = signal === 'SIGKILL' || signal === stopSignalOf(record);
  if (ends && isOfClients(record)) {
    const at = formatTime(docker.clock.now().wallMs);
    const specHash = stops.desired().resources.get(keyOf(record))?.specHash ?? null;
    await stops.changes.make(record, (current) => ({
      ...current,
      stopOverride: { at, specHash, until: null },
      stopping: askedToEnd(docker, current),
      restart: { ...current.restart, requested: false },
    }));
  }
  try {
    await killContainer(kills, record, signal);
  } catch (error) {
    // One that has just ended is as it was asked to be.
    if (docker.exec.running(record.id) === null)
      throw new DockerError(409, `cannot kill container: ${record.engineName}: container ${record.id} is not running`);
    throw error;
  }
}
