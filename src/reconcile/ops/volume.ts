import { randomBytes } from 'node:crypto';
import type { Desired } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { newId } from '../../state/ids.ts';
import type { VolumeRecord } from '../../state/volumes/volume-record.ts';
import type { OpOf } from '../op.ts';
import { volumesLeftBehind } from './released-volumes.ts';
import { desiredOf, type World } from './world.ts';

function declared({
  key,
  spec,
  specHash,
}: Desired<'volume'>): Pick<VolumeRecord, 'owner' | 'specHash' | 'onRemove' | 'released'> {
  return { owner: { type: 'named', key }, specHash, onRemove: spec.onRemove, released: false };
}

export async function createVolume(world: World, op: OpOf<'volume.create'>): Promise<void> {
  const desired = desiredOf(world, 'volume', op.key);
  if (world.volumes.named(op.key)) return;
  await world.commits.commit({
    files: (batch) => world.volumes.create({ id: newId(randomBytes), writable: true, ...declared(desired) }, batch),
  });
}

function existing(world: World, key: ResourceKey, id: string | null): VolumeRecord {
  const volume = id === null ? world.volumes.named(key) : world.volumes.get(id);
  if (!volume) throw new TsdError('TSD_BUG', `the data of ${key} is not recorded`, { key });
  return volume;
}

/** Puts existing data under this declaration. Of several that want the same data the first one gets it. */
export async function adoptVolume(world: World, op: OpOf<'volume.adopt'>): Promise<void> {
  const desired = desiredOf(world, 'volume', op.key);
  await world.mutex.runExclusive(op.volumeId, () => adopt(world, op, desired));
}

async function adopt(world: World, op: OpOf<'volume.adopt'>, desired: Desired<'volume'>): Promise<void> {
  const volume = existing(world, op.key, op.volumeId);
  const { owner, released } = volume;
  // Another one may have adopted it since this was planned.
  const holder = owner.type === 'named' ? owner.key : 'another';
  if (!released && holder !== op.key) {
    throw new TsdError('TSD_VOLUME_IN_USE', `the data of ${op.key} belongs to ${holder} now`, { key: op.key });
  }
  await world.commits.commit({ files: (batch) => world.volumes.update({ ...volume, ...declared(desired) }, batch) });
}

/** Keeps the data of a volume that nothing declares any more. */
export async function releaseVolume(world: World, op: OpOf<'volume.release'>): Promise<void> {
  const volume = existing(world, op.key, null);
  await world.commits.commit({ files: (batch) => world.volumes.update({ ...volume, released: true }, batch) });
}

/** Deletes the data. The planner asks for it only after approval. */
export async function removeVolume(world: World, op: OpOf<'volume.remove'>): Promise<void> {
  const volume = world.volumes.keyed(op.key);
  // A container that was declared meanwhile takes it over again.
  const kept = volume?.owner.type === 'anonymous' && !volumesLeftBehind(world).has(op.key);
  if (volume && !kept) await world.volumes.remove(volume.id);
  world.approvals.withdraw(op.key);
}
