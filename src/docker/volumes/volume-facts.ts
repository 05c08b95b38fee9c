/** What is known of volumes beside their records. */
import { statSync } from 'node:fs';
import type { JsonValue } from '../../model/json.ts';
import type { VolumeSpec } from '../../model/kinds/volume.ts';
import { toStateError } from '../../state/files/state-error.ts';
import { errnoCode } from '../../state/files/state-file.ts';
import type { VolumeRecord } from '../../state/volumes/volume-record.ts';
import type { DockerParts } from '../docker-parts.ts';
import type { VolumeFacts } from './volume-json.ts';

type Texts = Readonly<Record<string, string>>;

/** Null for one that has gone meanwhile. @throws TsdError where it cannot be looked at */
function createdMs(path: string): number | null {
  try {
    return statSync(path).birthtimeMs;
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return null;
    throw toStateError(error, `look at ${path}`);
  }
}

/** What a client asked for when it made the volume. */
function requested(volume: VolumeRecord, member: 'Labels' | 'DriverOpts'): Texts | null {
  const body = volume.request?.body as { readonly [name: string]: JsonValue } | undefined;
  return (body?.[member] ?? null) as Texts | null;
}

function declaredLabels({ desired }: Pick<DockerParts, 'desired'>, { owner }: VolumeRecord): Texts | null {
  if (owner.type !== 'named') return null;
  const spec = desired().resources.get(owner.key)?.spec as VolumeSpec | undefined;
  const labels = spec?.labels ?? {};
  return Object.keys(labels).length === 0 ? null : labels;
}

export function volumeFacts(
  docker: Pick<DockerParts, 'desired' | 'volumes'>,
  volume: VolumeRecord,
): VolumeFacts | null {
  const created = createdMs(docker.volumes.entryPath(volume.id));
  if (created === null) return null;
  return {
    volume,
    labels: requested(volume, 'Labels') ?? declaredLabels(docker, volume),
    options: requested(volume, 'DriverOpts'),
    createdMs: created,
  };
}
