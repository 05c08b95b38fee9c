/** Removes images that nothing needs. */
import type { DockerParts } from '../docker-parts.ts';
import type { Filters } from '../wire/query.ts';
import { untilOf } from './until.ts';

type Parts = Pick<DockerParts, 'api' | 'clock' | 'images'>;

export const PRUNE_FILTERS = ['dangling', 'until', 'label', 'label!'];

/** Images without a name, or with `dangling=false` all that no container and no declaration needs. */
export async function pruneImages({ api, clock, images }: Parts, filters: Filters) {
  const all = filters.flag('dangling') === false;
  const until = untilOf(filters.of('until'), clock.now().wallMs);
  const found = await api.imageFiles.prune({ all, volumes: false, dryRun: true, listed: null });
  const chosen = found.images.filter(({ id }) => {
    const image = images.get(id);
    if (image === undefined) return false;
    const labels = image.Tsdocker?.Labels ?? {};
    const isOld = until === null || Date.parse(image.created) < until;
    return isOld && filters.labels(labels) && filters.labels(labels, 'label!');
  });
  const listed = { images: chosen, layers: found.layers, volumes: [], copies: [], buildCacheBytes: 0, bytes: 0 };
  const gone = await api.imageFiles.prune({ all, volumes: false, dryRun: false, listed });
  const deleted = gone.images.flatMap(({ id, tags }) => [
    ...tags.map((Untagged) => ({ Untagged })),
    { Deleted: `sha256:${id}` },
  ]);
  return { ImagesDeleted: deleted.length === 0 ? null : deleted, SpaceReclaimed: gone.bytes };
}

/** Removes what builds keep for later ones beside layers. */
export async function pruneBuildCache({ api }: Pick<DockerParts, 'api'>) {
  const nothing = { images: [], layers: [], volumes: [], copies: [], bytes: 0 };
  const listed = { ...nothing, buildCacheBytes: 1 };
  const { bytes } = await api.imageFiles.prune({ all: true, volumes: false, dryRun: false, listed });
  return { CachesDeleted: null, SpaceReclaimed: bytes };
}
