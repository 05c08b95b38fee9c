import { constants } from 'node:os';
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

function signalNumber(name: string): number {
  return constants.signals[name as NodeJS.Signals] ?? constants.signals.SIGTERM;
}

/** Asks the payload to end, waits, then kills everything in the container. */
export async function stopContainer(world: World, op: OpOf<'container.stop'>): Promise<void> {
  const record = recordOf(world, op.containerId);
  if (op.restart) world.containers.update({ ...record, restart: { ...record.restart, requested: true } });
  if (world.exec.running(op.containerId) === null) return;
  if (record.state.status === 'paused') await world.exec.unpause(op.containerId);
  const ended = endsWithin(world, op.containerId, op.timeoutMs);
  await world.exec.signal(op.containerId, signalNumber(op.signal));
  if (await ended) return;
  await world.exec.kill(op.containerId);
  await world.exits.ended(op.containerId);
}
