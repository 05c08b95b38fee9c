/** Where the data of a container's mounts lies. */
import { randomBytes } from 'node:crypto';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { baseKey } from '../../../model/update.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import { newId } from '../../../state/ids.ts';
import type { ResolvedVolume } from '../../task/task-spec.ts';
import type { ContainerImage } from '../images/image-of.ts';
import type { World } from '../world.ts';

/** Targets that need an anonymous volume: declared without a name, or by the image and not covered by the manifest. */
function anonymousTargets(desired: Desired<'container'>, image: ContainerImage): string[] {
  const covered = new Set(desired.spec.volumes.map(({ target }) => target));
  const declared = desired.spec.volumes.filter(({ type, source }) => type === 'volume' && source === null);
  return [...declared.map(({ target }) => target), ...image.volumes.filter((target) => !covered.has(target))];
}

/** Targets whose anonymous volume does not exist yet. */
export function missingAnonymousVolumes(
  world: World,
  desired: Desired<'container'>,
  image: ContainerImage,
): readonly string[] {
  return anonymousTargets(desired, image).filter((target) => !world.volumes.anonymous(baseKey(desired.key), target));
}

/** Anonymous volumes belong to (container, target) and survive recreation. */
export async function createAnonymousVolumes(
  world: World,
  { key }: Desired<'container'>,
  targets: readonly string[],
): Promise<void> {
  await world.commits.commit({
    files: (batch) => {
      for (const target of targets) {
        const owner = { type: 'anonymous', containerKey: baseKey(key), target } as const;
        const volume = { id: newId(randomBytes), writable: true, owner, specHash: '', released: false };
        world.volumes.create({ ...volume, onRemove: 'delete' }, batch);
      }
    },
  });
}

/** Where the data of a bound path lies: the copy that stands for it, or the path itself. */
export function boundSource({ contents }: World, { files }: Desired<'container'>, source: string): string {
  const copy = files?.[source];
  return copy === undefined ? source : contents.path(copy);
}

function ownVolumes(
  world: World,
  desired: Desired<'container'>,
  image: ContainerImage,
  containerId: string,
): ResolvedVolume[] {
  const { key, references, spec } = desired;
  const anonymous = anonymousTargets(desired, image).map((target): ResolvedVolume => {
    const volume = world.volumes.anonymous(baseKey(key), target);
    if (!volume) throw new TsdError('TSD_BUG', `the anonymous volume of ${target} was not made`, { key });
    return { source: volume.path, target, readOnly: false, copyUp: true };
  });
  const declared = spec.volumes.flatMap(({ type, source, target, readOnly }, index): ResolvedVolume[] => {
    if (type === 'content')
      return [{ source: world.containers.contentPath(containerId, index), target, readOnly, copyUp: false }];
    if (type === 'bind')
      return [{ source: boundSource(world, desired, source ?? ''), target, readOnly, copyUp: false }];
    const volumeKey = references.volumes[target];
    if (type !== 'volume' || volumeKey === undefined) return [];
    const volume = world.volumes.named(volumeKey);
    if (!volume) throw new TsdError('TSD_BUG', `${volumeKey} was not made`, { key });
    return [{ source: volume.path, target, readOnly, copyUp: true }];
  });
  return [...anonymous, ...declared];
}

/** Own mounts and those of volumesFrom; an own one wins over one taken over. */
export function resolvedVolumes(
  world: World,
  desired: Desired<'container'>,
  image: ContainerImage,
  containerId: string,
): readonly ResolvedVolume[] {
  const byTarget = new Map<string, ResolvedVolume>();
  desired.references.volumesFrom.forEach((key, index) => {
    const other = world.containers.byKey(key);
    const readOnly = desired.spec.volumesFrom[index]?.readOnly ?? false;
    for (const [target, volume] of Object.entries(other?.volumes ?? {})) {
      byTarget.set(target, { source: volume.path, target, readOnly: readOnly || !volume.writable, copyUp: false });
    }
  });
  for (const volume of ownVolumes(world, desired, image, containerId)) byTarget.set(volume.target, volume);
  return [...byTarget.values()];
}

export function recordedVolumes(volumes: readonly ResolvedVolume[]): ContainerRecord['volumes'] {
  return Object.fromEntries(
    volumes.map(({ target, source, readOnly }) => [target, { path: source, writable: !readOnly }]),
  );
}

/** Texts of the files that the manifest holds itself, by their place among the mounts. */
export function mountedTexts({ spec }: Desired<'container'>): ReadonlyMap<number, string> {
  const texts = spec.volumes.map(({ content }, index) => [index, content] as const);
  return new Map(texts.flatMap(([index, text]) => (text === undefined ? [] : [[index, text] as const])));
}
