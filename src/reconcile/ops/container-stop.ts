import { signalNumber } from '../../model/kinds/runtime-forms.ts';
import type { ContainerRecord } from '../../state/container-record.ts';
import type { OpOf } from '../op.ts';
import { recordOf, type World } from './world.ts';

/** Resolves true when the run ended within the time. */
async function endsWithin(world: World, containerId: string, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  try {
    return await Promise.race([world.exits.ended(containerId).then(() => true as const), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks the payload to end, waits, then kills everything in the container. @param signal by name */
export async function endRun(world: World, record: ContainerRecord, signal: string, timeoutMs: number): Promise<void> {
  if (record.state.status === 'paused') await world.exec.unpause(record.id);
  const ended = endsWithin(world, record.id, timeoutMs);
  try {
    await world.exec.signal(record.id, signalNumber(signal));
  } catch (error) {
    // One that ends just now needs no signal.
    if (world.exec.running(record.id) !== null) throw error;
  }
  if (await ended) return;
  await world.exec.kill(record.id);
  await world.exits.ended(record.id);
}

export async function stopContainer(world: World, op: OpOf<'container.stop'>): Promise<void> {
  const record = recordOf(world, op.containerId);
  if (op.restart) world.containers.update({ ...record, restart: { ...record.restart, requested: true } });
  if (world.exec.running(op.containerId) === null) return;
  await endRun(world, record, op.signal, op.timeoutMs);
}
