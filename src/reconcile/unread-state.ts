/** Records that exist and cannot be read. Their resources count as existing; no replacement is created. */
import { basename } from 'node:path';
import { describeError, type TsdError } from '../model/errors/errors.ts';
import type { Unread } from '../model/observed.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import { containerSpecOf } from '../state/containers/written-spec.ts';
import type { GraphIndex } from '../state/images/graph-index.ts';
import type { VolumeStore } from '../state/volumes/volumes.ts';
import { observedReferences } from './plan/references.ts';

function unread(error: TsdError, path: string): Unread {
  return {
    message: describeError(error),
    hint: `Put ${path} back from a backup and run \`systemctl restart tsdocker\`; \`mv ${path} ${path}.old\` continues without it.`,
  };
}

export type UnreadImagePorts = Pick<GraphIndex, 'damaged' | 'path'>;

export interface UnreadVolumePorts {
  readonly volumes: Pick<VolumeStore, 'damaged' | 'entryPath'>;
  readonly containers: Pick<ContainerStore, 'all'>;
}

/** Of an image; undefined where its record can be read, or there is none. */
export function unreadImage(images: UnreadImagePorts, id: string): Unread | undefined {
  const error = images.damaged(id);
  return error && unread(error, images.path(id));
}

export interface UnreadVolumes {
  /** Those that containers say they use. */
  readonly unreadVolumes?: ReadonlyMap<ResourceKey, Unread>;
  /** One that may be any volume. */
  readonly unknownVolume?: Unread;
}

/** Declared volumes whose record cannot be read, by what the containers that use them say. */
export function unreadVolumes({ volumes, containers }: UnreadVolumePorts): UnreadVolumes {
  const left = new Map(volumes.damaged);
  if (left.size === 0) return {};
  const found = new Map<ResourceKey, Unread>();
  for (const record of containers.all()) {
    const { owner, engineName } = record;
    if (owner === null) continue;
    const references = observedReferences({ key: owner.key, engineName, spec: containerSpecOf(owner) });
    for (const [target, { path }] of Object.entries(record.volumes)) {
      const id = basename(path);
      const error = volumes.damaged.get(id);
      const key = references.volumes[target];
      if (!error || key === undefined) continue;
      found.set(key, unread(error, volumes.entryPath(id)));
      left.delete(id);
    }
  }
  const other = [...left].map(([id, error]) => unread(error, volumes.entryPath(id)))[0];
  return { unreadVolumes: found, ...(other && { unknownVolume: other }) };
}
