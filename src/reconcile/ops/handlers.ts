/** The one table of operations: what each op of a plan does. */
import type { OpContext, OpHandlers } from '../executor.ts';
import type { Op, OpOf, OpType } from '../op.ts';
import { connectContainer, disconnectContainer, withdrawPorts } from './containers/container-connect.ts';
import { createContainer } from './containers/container-create.ts';
import { cutOver } from './containers/container-cutover.ts';
import { removeContainer } from './containers/container-remove.ts';
import { signalContainer } from './containers/container-signal.ts';
import { startContainer } from './containers/container-start.ts';
import { stopContainer } from './containers/container-stop.ts';
import { relinkContainer, updateContainer } from './containers/container-update.ts';
import { failUpdate, settleUpdate } from './containers/update-outcome.ts';
import { type ProgressSink, releaseImage } from './images/image.ts';
import { loadDeclaredImage } from './images/image-load.ts';
import { makeDirectories } from './make-directories.ts';
import { ensureNetwork, removeNetwork } from './networks/network.ts';
import { removeOrphan } from './orphan.ts';
import { adoptVolume, createVolume, releaseVolume, removeVolume } from './volume.ts';
import type { World } from './world.ts';

type WorldHandlers = {
  readonly [T in OpType]: (world: World, op: OpOf<T>, progress: ProgressSink, signal: AbortSignal) => Promise<void>;
};

const OPS = {
  'image.load': loadDeclaredImage,
  'image.release': releaseImage,
  'volume.create': createVolume,
  'volume.adopt': adoptVolume,
  'volume.release': releaseVolume,
  'volume.remove': removeVolume,
  'network.ensure': ensureNetwork,
  'network.remove': removeNetwork,
  'container.make-directories': makeDirectories,
  'container.create': createContainer,
  'container.connect': connectContainer,
  'container.start': startContainer,
  'container.stop': stopContainer,
  'container.signal': signalContainer,
  'container.update': updateContainer,
  'container.relink': relinkContainer,
  'container.cutover': cutOver,
  'container.settle-update': settleUpdate,
  'container.fail-update': failUpdate,
  'container.withdraw': (world, { containerId }) => withdrawPorts(world, containerId),
  'container.disconnect': disconnectContainer,
  'container.remove': removeContainer,
  'orphan.remove': removeOrphan,
} as const satisfies WorldHandlers;

/** The table with a world to act on, as the executor takes it. */
export function opHandlers(world: World): OpHandlers {
  const bound = Object.entries(OPS).map(([type, handler]) => {
    const carryOut = handler as (world: World, op: Op, progress: ProgressSink, signal: AbortSignal) => Promise<void>;
    // Inside an async function, so that what a handler throws at once is a rejection too.
    const run = async (op: Op, { progress, signal }: OpContext) => {
      if (op.update) world.updates.begin(op.update);
      await carryOut(world, op, progress, signal);
    };
    return [type, run];
  });
  return Object.fromEntries(bound) as OpHandlers;
}
