/** The image a container is made from: an image resource, or a tag on this host. */
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { parsePortRange } from '../../../model/kinds/port-forms.ts';
import type { ExposedPort } from '../../../model/kinds/short-forms.ts';
import type { ResourceStore } from '../../../state/history/resource-store.ts';
import type { GraphIndex } from '../../../state/images/graph-index.ts';
import type { ImageRecord } from '../../../state/images/image-record.ts';
import type { RepositoryStore } from '../../../state/images/repositories.ts';
import type { ImageDefaults } from '../../task/task-spec.ts';

/** Images of this host, their names, and what declarations are bound to. */
export interface ImageStores {
  readonly images: Pick<GraphIndex, 'get' | 'lookup'>;
  readonly repositories: Pick<RepositoryStore, 'lookup'>;
  readonly resources: Pick<ResourceStore, 'images'>;
}

export interface ContainerImage {
  readonly id: string;
  /** Graph driver key of the top layer; null for an image without layers. */
  readonly topLayer: string | null;
  readonly defaults: ImageDefaults;
  readonly ports: readonly ExposedPort[];
  /** Targets of anonymous volumes. */
  readonly volumes: readonly string[];
}

/** Of one entry of an image's configuration; none for what is not one port. Links know tcp and udp. */
function exposedPorts(entry: string): ExposedPort[] {
  const range = parsePortRange(entry);
  if (range === null || range.first !== range.last) return [];
  return [{ port: range.first, protocol: range.protocol === 'udp' ? 'udp' : 'tcp' }];
}

function toContainerImage(record: ImageRecord): ContainerImage {
  const { config } = record;
  return {
    id: record.id,
    // An image of ours names its top layer as parent; one of Docker 1.4 is itself a layer.
    topLayer: record.Tsdocker ? (record.parent === '' ? null : record.parent) : record.id,
    defaults: {
      env: config?.Env ?? [],
      entrypoint: config?.Entrypoint ?? null,
      command: config?.Cmd ?? null,
      workingDir: config?.WorkingDir ?? '',
      user: config?.User ?? '',
      stopSignal: record.Tsdocker?.StopSignal || null,
    },
    ports: Object.keys(config?.ExposedPorts ?? {}).flatMap(exposedPorts),
    volumes: Object.keys(config?.Volumes ?? {}),
  };
}

/** Id of the image a declared container would be made from now, or null while it is not on this host. */
export function imageIdOf(stores: ImageStores, desired: Desired<'container'>): string | null {
  const { references, spec, request } = desired;
  // A client asked for this one, whatever its names mean now.
  if (request) return stores.images.get(spec.image)?.id ?? null;
  if (references.image !== null)
    return stores.resources.images().find(({ key }) => key === references.image)?.imageId ?? null;
  try {
    return stores.repositories.lookup(spec.image, (prefix) => stores.images.lookup(prefix).id);
  } catch (error) {
    if (error instanceof TsdError && error.class === 'not-found') return null;
    throw error;
  }
}

/** @throws TsdError TSD_IMAGE_MISSING. */
export function imageById(
  { images }: { readonly images: Pick<GraphIndex, 'get'> },
  id: string | null,
  desired: Desired<'container'>,
): ContainerImage {
  const record = id === null ? undefined : images.get(id);
  if (!record) {
    throw new TsdError('TSD_IMAGE_MISSING', `image ${desired.spec.image} is not on this host`, { key: desired.key });
  }
  return toContainerImage(record);
}

/** Returns the image from which a container of this declaration is created now. @throws TsdError TSD_IMAGE_MISSING */
export function imageOf(stores: ImageStores, desired: Desired<'container'>): ContainerImage {
  return imageById(stores, imageIdOf(stores, desired), desired);
}
