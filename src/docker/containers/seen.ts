/** Containers as they are at this moment. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { DockerParts } from '../docker-parts.ts';
import type { SeenContainer } from './container-state.ts';

export function seenContainer(
  { observed, loop, health, failedStarts }: Pick<DockerParts, 'observed' | 'loop' | 'health' | 'failedStarts'>,
  record: ContainerRecord,
): SeenContainer {
  const key = record.owner?.key;
  return {
    record,
    observed: observed(record),
    held: key && loop.hold(key)?.reason,
    op: key && loop.inFlight(key)?.op,
    failedStart: failedStarts.of(record),
    health: health.get(record.id),
  };
}
