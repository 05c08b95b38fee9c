import { TsdError } from '../../../model/errors/errors.ts';
import { baseKey } from '../../../model/update.ts';
import type { OpOf } from '../../op.ts';
import { giveUpStrayLeases } from '../networks/stray-leases.ts';
import type { World } from '../world.ts';
import { stopAgainst } from './stop-override.ts';

/**
 * Removes a container that is not running, with its log and writable layer. Every step may have happened before. What
 * needs room on the disk comes after what makes room; where it fails all the same, name and leases are orphans.
 */
export async function removeContainer(world: World, op: OpOf<'container.remove'>): Promise<void> {
  const record = world.containers.get(op.containerId);
  if (record) await world.fileReaders.changing(record, 'removed', () => removeAll(world, op));
  else await removeAll(world, op);
}

async function removeAll(world: World, op: OpOf<'container.remove'>): Promise<void> {
  const { containerId, key } = op;
  await world.exec.remove(containerId);
  if (world.network.sandbox(containerId)) world.network.detach(containerId);
  refuseStopped(world, op);
  await world.containers.remove(containerId);
  world.exits.forget(containerId);
  world.unanswered.delete(containerId);
  await world.graph.remove(containerId);
  await world.commits.commit({ names: () => world.links.purge(containerId) });
  world.health.forget(containerId);
  if (!world.desired().resources.has(key)) world.updates.forget(key);
  await giveUpStrayLeases(world, key);
}

/** A stop that came since this began would go with the record, and what takes its place would be started. */
function refuseStopped(world: World, op: OpOf<'container.remove'>): void {
  const { key, containerId } = op;
  const record = world.containers.get(containerId);
  const isReplaced = key === baseKey(key) && world.desired().resources.has(key);
  if (!isReplaced || !record || stopAgainst(world, op, record) === null) return;
  throw new TsdError('TSD_CALLED_OFF', 'it was asked to stop meanwhile', { key });
}
