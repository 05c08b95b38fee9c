import { signalNumber } from '../../model/kinds/runtime-forms.ts';
import type { OpOf } from '../op.ts';
import type { World } from './world.ts';

/** Sends the signals; a run that has ended meanwhile reads its files when it starts again. */
export async function signalContainer(world: World, op: OpOf<'container.signal'>): Promise<void> {
  if (world.exec.running(op.containerId) === null) return;
  for (const signal of op.signals) await world.exec.signal(op.containerId, signalNumber(signal));
}
