import type { RemovedView } from '../../api/images/registry-views.ts';
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { Declared } from '../../reconcile/ops/declared.ts';
import {
  isOfKeptGeneration,
  type KeptImages,
  removeUnusedImage,
  type UnusedImagePorts,
} from '../../reconcile/ops/images/image-release.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { Reserve } from '../../state/files/reserve.ts';
import type { ResourceStore } from '../../state/history/resource-store.ts';
import { parseImageName } from '../../state/images/image-names.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import type { Timeline } from '../timeline.ts';
import { findImage, type ImageLookup } from './find-images.ts';

export interface RemoveImagePorts extends ImageLookup {
  readonly repositories: ImageLookup['repositories'] & Pick<RepositoryStore, 'namesOf' | 'delete'>;
  readonly unusedImages: UnusedImagePorts;
  readonly users: RemovalUsers;
  readonly reserve: Pick<Reserve, 'spendOnAsync'>;
  readonly timeline: Pick<Timeline, 'image'>;
}

/** What needs images, and is named to a person. */
interface RemovalUsers extends Declared, KeptImages {
  readonly resources: Pick<ResourceStore, 'images'>;
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly exec: Pick<ExecDriver, 'running'>;
}

const conflict = (message: string, hint: string): TsdError =>
  new TsdError('TSD_BAD_REQUEST', `Conflict, ${message}`, { class: 'conflict', hint });

/**
 * Takes away a name, or an image by its id with all its names. The image itself goes with its last name, unless a
 * container has it.
 * @throws TSD_NO_SUCH_RESOURCE, or class conflict while a container, a declaration, a kept generation or other names need it.
 */
export async function removeImage(
  ports: RemoveImagePorts,
  text: string,
  force: boolean,
): Promise<readonly RemovedView[]> {
  const name = parseImageName(text);
  const image = findImage(ports, text);
  const names = ports.repositories.namesOf(image.id);
  const byName = names.find(({ repository, tag }) => repository === name.repository && tag === name.tag);
  const leaving = byName === undefined ? names : [byName];
  const removed: RemovedView[] = [];
  const repositories = new Set(leaving.map(({ repository }) => repository));
  if (byName === undefined && repositories.size > 1 && !force) {
    const message = `unable to delete ${image.id.slice(0, 12)}, it is tagged in several repositories: use --force`;
    throw conflict(message, 'Name the one to take away, or use --force for all.');
  }
  if (leaving.length === names.length) refuseUsed(ports.users, image.id, { force, byName: byName !== undefined });
  for (const leavingName of leaving) {
    await ports.reserve.spendOnAsync(() => ports.repositories.delete(leavingName));
    const Untagged = `${leavingName.repository}:${leavingName.tag}`;
    removed.push({ Untagged });
    ports.timeline.image('untag', image.id, Untagged);
  }
  await removeUnusedImage(ports.unusedImages, image.id);
  if (ports.images.get(image.id) !== undefined) return removed;
  ports.timeline.image('delete', image.id, '');
  return [...removed, { Deleted: image.id }];
}

/** @param asked `byName` with `force`: only the name goes, so that a container that runs is no reason against it */
function refuseUsed(
  users: RemovalUsers,
  id: string,
  { force, byName }: { readonly force: boolean; readonly byName: boolean },
): void {
  const short = id.slice(0, 12);
  const declared = users.resources.images().find(({ imageId }) => imageId === id);
  if (declared !== undefined && users.desired().resources.has(declared.key)) {
    throw conflict(`cannot delete ${short}: ${declared.key} is it`, 'Remove it from its manifest first.');
  }
  const using = users.containers.all().filter(({ imageId }) => imageId === id);
  const running = using.find((container) => users.exec.running(container.id) !== null);
  const user = force ? (byName ? undefined : running) : (running ?? using[0]);
  if (user === undefined) {
    if (force || !isOfKeptGeneration(users, id)) return;
    throw conflict(
      `cannot delete ${short}: a rollback to a kept generation needs it`,
      'Use --force to delete it all the same; `tsdocker history` lists the generations.',
    );
  }
  const what = running === undefined ? 'the container' : 'the running container';
  throw conflict(
    `cannot delete ${short} because ${what} ${user.engineName} is using it`,
    running === undefined
      ? 'Remove the container, or use --force to take the names away.'
      : 'Stop and remove it first.',
  );
}
