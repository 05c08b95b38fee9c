import { signalNumber } from '../../model/kinds/runtime-forms.ts';
import type { ContainerRecord } from '../../state/container-record.ts';
import type { OpOf } from '../op.ts';
import { recordOf, type World } from './world.ts';

/** Asks the payload to end, waits, then kills everything in the container. @param signal by name */
export async function endRun(world: World, record: ContainerRecord, signal: string, timeoutMs: number): Promise<void> {
  if (record.state.status === 'paused') await world.exec.unpause(record.id);
  const ended = world.stopClocks.within(record.id, timeoutMs, world.exits.ended(record.id));
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
  // One that was stopped by a person meanwhile is not asked to come back.
  if (op.restart && record.stopOverride === null)
    world.containers.update({ ...record, restart: { ...record.restart, requested: true } });
  if (world.exec.running(op.containerId) === null) return;
  await endRun(world, record, op.signal, op.timeoutMs);
}
