import { randomBytes } from 'node:crypto';
import type { Desired } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { ApprovalStore } from '../../state/history/approval-store.ts';
import { newId } from '../../state/ids.ts';
import type { VolumeRecord } from '../../state/volumes/volume-record.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';
import type { GroupCommit } from '../group-commit.ts';
import type { OpOf } from '../op.ts';
import { type Declared, desiredOf } from './declared.ts';
import type { KeyedMutex } from './keyed-mutex.ts';
import { type VolumeUsers, volumesLeftBehind } from './released-volumes.ts';

interface VolumeRecords {
  readonly volumes: Pick<VolumeStore, 'named' | 'get' | 'update'>;
  readonly commits: Pick<GroupCommit, 'commit'>;
}

export interface CreateVolumePorts extends Declared {
  readonly volumes: Pick<VolumeStore, 'named' | 'create'>;
  readonly commits: Pick<GroupCommit, 'commit'>;
}

export interface AdoptVolumePorts extends Declared, VolumeRecords {
  readonly mutex: KeyedMutex;
}

export type ReleaseVolumePorts = VolumeRecords;

export interface RemoveVolumePorts extends VolumeUsers {
  readonly volumes: VolumeUsers['volumes'] & Pick<VolumeStore, 'keyed' | 'remove'>;
  readonly approvals: Pick<ApprovalStore, 'withdraw'>;
}

function declared({
  key,
  spec,
  specHash,
  request,
}: Desired<'volume'>): Pick<VolumeRecord, 'owner' | 'specHash' | 'onRemove' | 'released' | 'request'> {
  const made = { owner: { type: 'named', key }, specHash, onRemove: spec.onRemove, released: false } as const;
  return { ...made, ...(request && { request }) };
}

export async function createVolume(ports: CreateVolumePorts, op: OpOf<'volume.create'>): Promise<void> {
  const desired = desiredOf(ports, 'volume', op.key);
  if (ports.volumes.named(op.key)) return;
  await ports.commits.commit({
    files: (batch) => ports.volumes.create({ id: newId(randomBytes), writable: true, ...declared(desired) }, batch),
  });
}

function existing({ volumes }: Pick<VolumeRecords, 'volumes'>, key: ResourceKey, id: string | null): VolumeRecord {
  const volume = id === null ? volumes.named(key) : volumes.get(id);
  if (!volume) throw new TsdError('TSD_BUG', `the data of ${key} is not recorded`, { key });
  return volume;
}

/** Puts existing data under this declaration. Of several that want the same data the first one gets it. */
export async function adoptVolume(ports: AdoptVolumePorts, op: OpOf<'volume.adopt'>): Promise<void> {
  const desired = desiredOf(ports, 'volume', op.key);
  await ports.mutex.runExclusive(op.volumeId, () => adopt(ports, op, desired));
}

async function adopt(ports: VolumeRecords, op: OpOf<'volume.adopt'>, desired: Desired<'volume'>): Promise<void> {
  const volume = existing(ports, op.key, op.volumeId);
  const { owner, released } = volume;
  // Another one may have adopted it since this was planned.
  const holder = owner.type === 'named' ? owner.key : 'another';
  if (!released && holder !== op.key) {
    throw new TsdError('TSD_VOLUME_IN_USE', `the data of ${op.key} belongs to ${holder} now`, { key: op.key });
  }
  await ports.commits.commit({ files: (batch) => ports.volumes.update({ ...volume, ...declared(desired) }, batch) });
}

/** Keeps the data of a volume that nothing declares any more. */
export async function releaseVolume(ports: ReleaseVolumePorts, op: OpOf<'volume.release'>): Promise<void> {
  const volume = existing(ports, op.key, null);
  await ports.commits.commit({ files: (batch) => ports.volumes.update({ ...volume, released: true }, batch) });
}

/** Deletes the data. The planner asks for it only after approval. */
export async function removeVolume(ports: RemoveVolumePorts, op: OpOf<'volume.remove'>): Promise<void> {
  const volume = ports.volumes.keyed(op.key);
  // A container that was declared meanwhile takes it over again.
  const kept = volume?.owner.type === 'anonymous' && !volumesLeftBehind(ports).has(op.key);
  if (volume && !kept) await ports.volumes.remove(volume.id);
  ports.approvals.withdraw(op.key);
}
