/** GET /volumes. */
import type { DockerParts } from '../docker-parts.ts';
import { findVolume } from '../lookup.ts';
import { volumeNameOf } from '../names.ts';
import { DockerError } from '../wire/docker-error.ts';
import { foundIn } from '../wire/pattern.ts';
import type { Query } from '../wire/query.ts';
import { volumeFacts } from './volume-facts.ts';
import { type VolumeFacts, volumeJson, volumeLabels } from './volume-json.ts';

const FILTERS = ['dangling', 'driver', 'label', 'name'];

/** Paths of the data that containers use. */
function volumesInUse({ containers }: Pick<DockerParts, 'containers'>): ReadonlySet<string> {
  return new Set(containers.all().flatMap(({ volumes }) => Object.values(volumes).map(({ path }) => path)));
}

/** @throws DockerError 400 */
export function listVolumes(docker: DockerParts, query: Query): unknown {
  const filters = query.filters(FILTERS);
  const dangling = filters.flag('dangling');
  const inUse = volumesInUse(docker);
  const all = docker.volumes.all();
  const names = all.map(volumeNameOf);
  const patterns = filters.of('name').map((pattern) => foundIn(pattern, names));
  const passing = all.filter(
    (volume, index) =>
      (dangling === null || inUse.has(volume.path) !== dangling) &&
      filters.some('driver', (driver) => driver === 'local') &&
      (patterns.length === 0 || patterns.some((found) => found[index] === true)),
  );
  const facts = passing.map((volume) => volumeFacts(docker, volume)).filter((one): one is VolumeFacts => one !== null);
  const labelled = facts.filter((one) => filters.labels(volumeLabels(one) ?? {}));
  return { Volumes: labelled.map(volumeJson), Warnings: null };
}

/** @throws DockerError 404 */
export function inspectVolume(docker: DockerParts, name: string): unknown {
  const facts = volumeFacts(docker, findVolume(docker.volumes, name));
  if (facts === null) throw new DockerError(404, `get ${name}: no such volume`);
  return volumeJson(facts);
}
