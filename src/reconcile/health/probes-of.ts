import { imageHealthcheck } from '../../images/healthcheck.ts';
import { effectiveProbes, type ProbeSet } from '../../model/health.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ContainerRecord } from '../../state/container-record.ts';
import type { World } from '../ops/world.ts';

/** HEALTHCHECK of an image of this host; null without one. */
export function healthcheckOf({ images }: Pick<World, 'images'>, imageId: string): ProbeSet | null {
  const image = images.get(imageId);
  return image ? imageHealthcheck(image, image.Tsdocker?.ConfigJson ?? '') : null;
}

/** The probes of a container as it was made; null for none, and for one that we did not make. */
export function probesOf(world: Pick<World, 'images'>, record: ContainerRecord): ProbeSet | null {
  if (record.owner === null) return null;
  const { health } = record.owner.written as unknown as ContainerSpec;
  return effectiveProbes(health, healthcheckOf(world, record.imageId));
}
