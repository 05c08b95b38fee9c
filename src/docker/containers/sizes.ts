/** What a container takes on disk. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { snapshotSize } from '../../supervisor/images/layer-tree.ts';
import type { DockerParts } from '../docker-parts.ts';
import type { ContainerSizes } from './container-summary.ts';

/** @param imageBytes of all layers of its image */
export async function sizesOf(
  { graph }: Pick<DockerParts, 'graph'>,
  { snapshotId, graphDriver }: ContainerRecord,
  imageBytes: number,
): Promise<ContainerSizes> {
  const writable = graphDriver === graph.name ? await snapshotSize(graph, snapshotId) : 0;
  return { writable, all: writable + imageBytes };
}
