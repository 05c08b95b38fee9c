/** Where the data of a container's mounts lies. */
import { randomBytes } from 'node:crypto';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { filesReadAtStart } from '../../../model/host-files.ts';
import { baseKey } from '../../../model/update.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { ContentStore } from '../../../state/content-store.ts';
import { newId } from '../../../state/ids.ts';
import type { VolumeStore } from '../../../state/volumes/volumes.ts';
import type { GroupCommit } from '../../group-commit.ts';
import type { ResolvedVolume } from '../../task/task-spec.ts';
import { type HostPaths, requireFree } from '../free-paths.ts';
import type { ContainerImage } from '../images/image-of.ts';

/** Copies of files that stand for them. */
export interface ContentCopies {
  readonly contents: Pick<ContentStore, 'path'>;
}

/** Where data lies: in volumes, in copies of files, and beside the records of containers. */
export interface MountPorts extends ContentCopies, HostPaths {
  readonly volumes: Pick<VolumeStore, 'anonymous' | 'named' | 'create'>;
  readonly containers: Pick<ContainerStore, 'byKey' | 'contentPath'>;
  readonly commits: Pick<GroupCommit, 'commit'>;
}

/** Targets that need an anonymous volume: declared without a name, or by the image and not covered by the manifest. */
function anonymousTargets(desired: Desired<'container'>, image: ContainerImage): string[] {
  const covered = new Set(desired.spec.volumes.map(({ target }) => target));
  const declared = desired.spec.volumes.filter(({ type, source }) => type === 'volume' && source === null);
  return [...declared.map(({ target }) => target), ...image.volumes.filter((target) => !covered.has(target))];
}

/** Targets whose anonymous volume does not exist yet. */
export function missingAnonymousVolumes(
  ports: MountPorts,
  desired: Desired<'container'>,
  image: ContainerImage,
): readonly string[] {
  return anonymousTargets(desired, image).filter((target) => !ports.volumes.anonymous(baseKey(desired.key), target));
}

/** Anonymous volumes belong to (container, target) and survive recreation. */
export async function createAnonymousVolumes(
  ports: MountPorts,
  { key }: Desired<'container'>,
  targets: readonly string[],
): Promise<void> {
  await ports.commits.commit({
    files: (batch) => {
      for (const target of targets) {
        const owner = { type: 'anonymous', containerKey: baseKey(key), target } as const;
        const volume = { id: newId(randomBytes), writable: true, owner, specHash: '', released: false };
        ports.volumes.create({ ...volume, onRemove: 'delete' }, batch);
      }
    },
  });
}

/** Returns the source of a bound path: its copy, or the path itself. */
export function boundSource({ contents }: ContentCopies, { files }: Desired<'container'>, source: string): string {
  const copy = files?.[source];
  return copy === undefined ? source : contents.path(copy);
}

function ownVolumes(
  ports: MountPorts,
  desired: Desired<'container'>,
  image: ContainerImage,
  containerId: string,
): ResolvedVolume[] {
  const { key, references, spec } = desired;
  const anonymous = anonymousTargets(desired, image).map((target): ResolvedVolume => {
    const volume = ports.volumes.anonymous(baseKey(key), target);
    if (!volume) throw new TsdError('TSD_BUG', `the anonymous volume of ${target} was not made`, { key });
    return { source: volume.path, target, readOnly: false, copyUp: true };
  });
  const declared = spec.volumes.flatMap(
    ({ type, source, target, readOnly, copy, propagation }, index): ResolvedVolume[] => {
      if (type === 'content')
        return [{ source: ports.containers.contentPath(containerId, index), target, readOnly, copyUp: false }];
      if (type === 'bind')
        return [
          {
            source: boundSource(ports, desired, source ?? ''),
            target,
            readOnly,
            copyUp: false,
            ...(propagation && { propagation }),
          },
        ];
      const volumeKey = references.volumes[target];
      if (type !== 'volume' || volumeKey === undefined) return [];
      const volume = ports.volumes.named(volumeKey);
      if (!volume) throw new TsdError('TSD_BUG', `${volumeKey} was not made`, { key });
      return [{ source: volume.path, target, readOnly, copyUp: copy !== false }];
    },
  );
  return [...anonymous, ...declared];
}

/** Own mounts and those of volumesFrom; an own one wins over one taken over. */
export function resolvedVolumes(
  ports: MountPorts,
  desired: Desired<'container'>,
  image: ContainerImage,
  containerId: string,
): readonly ResolvedVolume[] {
  const byTarget = new Map<string, ResolvedVolume>();
  desired.references.volumesFrom.forEach((key, index) => {
    const other = ports.containers.byKey(key);
    const readOnly = desired.spec.volumesFrom[index]?.readOnly ?? false;
    for (const [target, volume] of Object.entries(other?.volumes ?? {})) {
      byTarget.set(target, { source: volume.path, target, readOnly: readOnly || !volume.writable, copyUp: false });
    }
  });
  for (const volume of ownVolumes(ports, desired, image, containerId)) byTarget.set(volume.target, volume);
  return [...byTarget.values()];
}

/** Resolves when what a container mounts, and the files that it is started with, can be used at once. @throws TsdError TSD_BIND_SOURCE. */
export async function requireMountsFree(
  ports: MountPorts,
  desired: Desired<'container'>,
  image: ContainerImage,
  containerId: string,
): Promise<void> {
  const mounted = resolvedVolumes(ports, desired, image, containerId).map(({ source }) => source);
  const read = filesReadAtStart(desired.spec).filter((path) => desired.files?.[path] === undefined);
  await requireFree(ports, mounted, read);
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
