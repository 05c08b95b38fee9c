/** What a container mounts, in Docker's form. Pure. */
import type { Propagation, VolumeMount } from '../../model/kinds/short-forms.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import type { VolumeRecord } from '../../state/volumes/volume-record.ts';
import { volumeNameOf } from '../names.ts';

export interface MountPoint {
  readonly Type: 'bind' | 'volume' | 'tmpfs';
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
  readonly Driver?: string;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
}

/** Volumes by the path of their data. */
export type VolumesByPath = ReadonlyMap<string, VolumeRecord>;

export function volumesByPath(volumes: readonly VolumeRecord[]): VolumesByPath {
  return new Map(volumes.map((volume) => [volume.path, volume]));
}

/** The third part of `source:target:mode`, by target. */
function writtenModes(binds: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    binds.flatMap((bind) => {
      const [, target, mode] = bind.split(':');
      return target === undefined ? [] : [[target, mode ?? ''] as const];
    }),
  );
}

function bindOf(
  source: string,
  target: string,
  writable: boolean,
  mode: string | undefined,
  declared: Propagation | undefined,
): MountPoint {
  const propagation = declared ?? /(?:^|,)(r?private)(?:,|$)/.exec(mode ?? '')?.[1] ?? 'rprivate';
  return {
    Type: 'bind',
    Source: source,
    Destination: target,
    Mode: mode ?? (writable ? '' : 'ro'),
    RW: writable,
    Propagation: propagation,
  };
}

function volumeOf(volume: VolumeRecord, target: string, writable: boolean, mode: string | undefined): MountPoint {
  const plain = volume.owner.type === 'named' ? 'z' : '';
  return {
    Type: 'volume',
    Name: volumeNameOf(volume),
    Source: volume.path,
    Destination: target,
    Driver: 'local',
    // Docker labels volumes that were named in a request for all containers.
    Mode: mode === undefined || mode === '' ? plain : mode,
    RW: writable,
    Propagation: '',
  };
}

/**
 * By target.
 * @param binds `source:target[:mode]` of a request, which say with which mode a mount was asked for
 * @param tmpfs targets of tmpfs that were asked for as mounts: those of other forms are in HostConfig alone
 */
export function mountPointsOf(
  record: ContainerRecord,
  volumes: VolumesByPath,
  binds: readonly string[] = [],
  tmpfs: readonly string[] = [],
): readonly MountPoint[] {
  const modes = writtenModes(binds);
  const declared: readonly VolumeMount[] = record.owner ? containerSpecOf(record.owner).volumes : [];
  const mounted = Object.entries(record.volumes).map(([target, { path, writable }]) => {
    const volume = volumes.get(path);
    if (volume !== undefined) return volumeOf(volume, target, writable, modes.get(target));
    // A file may be bound as a copy of what the declaration names.
    const bind = declared.find((mount) => mount.target === target && mount.type === 'bind');
    return bindOf(bind?.source ?? path, target, writable, modes.get(target), bind?.propagation);
  });
  const inMemory = tmpfs.map(
    (target): MountPoint => ({
      Type: 'tmpfs',
      Source: '',
      Destination: target,
      Mode: '',
      RW: true,
      Propagation: '',
    }),
  );
  return [...mounted, ...inMemory].sort((a, b) => (a.Destination < b.Destination ? -1 : 1));
}
