import { imageHealthcheck } from '../../images/healthcheck.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import { effectiveProbes, type ProbeSet } from '../../model/health.ts';
import type { ObservedImage } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import type { GraphIndex } from '../../state/images/graph-index.ts';
import { type ImageStores, imageIdOf } from '../ops/images/image-of.ts';

type Images = Pick<GraphIndex, 'get'>;

/** HEALTHCHECK of an image of this host; null without one. */
function healthcheckOf(images: Images, imageId: string): ProbeSet | null {
  const image = images.get(imageId);
  return image ? imageHealthcheck(image, image.Tsdocker?.ConfigJson ?? '') : null;
}

/** The probes of a container as it was made; null for none, and for one that we did not make. */
export function probesOf(images: Images, record: ContainerRecord): ProbeSet | null {
  if (record.owner === null) return null;
  const { health } = containerSpecOf(record.owner);
  return effectiveProbes(health, healthcheckOf(images, record.imageId));
}

/** HEALTHCHECKs of the images that declared containers are made from, where the manifest does not say otherwise. */
export function healthchecks(
  stores: ImageStores,
  { resources }: DesiredState,
  images: ReadonlyMap<ResourceKey, ObservedImage>,
  scope: ReadonlySet<ResourceKey> | null,
): Map<ResourceKey, ProbeSet> {
  const found = new Map<ResourceKey, ProbeSet>();
  for (const desired of resources.values()) {
    if (desired.kind !== 'container' || (scope !== null && !scope.has(desired.key))) continue;
    const container = desired as Desired<'container'>;
    if (container.spec.health !== null) continue;
    const { image } = container.references;
    const imageId = image === null ? imageIdOf(stores, container) : (images.get(image)?.imageId ?? null);
    const probes = imageId === null ? null : healthcheckOf(stores.images, imageId);
    if (probes) found.set(desired.key, probes);
  }
  return found;
}
