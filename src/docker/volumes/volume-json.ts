/** Volumes in Docker's form. Pure. */
import type { VolumeRecord } from '../../state/volumes/volume-record.ts';
import { ANONYMOUS } from '../../supervisor/imperative/volumes.ts';
import { volumeNameOf } from '../names.ts';

export interface VolumeFacts {
  readonly volume: VolumeRecord;
  readonly labels: Readonly<Record<string, string>> | null;
  /** Of a request. */
  readonly options: Readonly<Record<string, string>> | null;
  readonly createdMs: number;
}

export function volumeLabels({ volume, labels }: Pick<VolumeFacts, 'volume' | 'labels'>): VolumeFacts['labels'] {
  return volume.owner.type === 'anonymous' ? { ...ANONYMOUS, ...labels } : labels;
}

export function volumeJson(facts: VolumeFacts): Readonly<Record<string, unknown>> {
  const { volume, options, createdMs } = facts;
  return {
    // In seconds, as Docker gives it here alone.
    CreatedAt: new Date(createdMs).toISOString().replace(/\.\d+Z$/, 'Z'),
    Driver: 'local',
    Labels: volumeLabels(facts),
    Mountpoint: volume.path,
    Name: volumeNameOf(volume),
    Options: options,
    Scope: 'local',
  };
}
