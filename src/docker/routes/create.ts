/** Containers that clients make, remove, rename and prune. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import type { ImageRecord } from '../../state/images/image-record.ts';
import { pruning } from '../changes/pruning.ts';
import { requestOf } from '../changes/request-of.ts';
import { sizesOf } from '../containers/sizes.ts';
import { containerBody } from '../create/container-body.ts';
import { specOfCreate } from '../create/container-spec.ts';
import { knownNow } from '../create/known-now.ts';
import type { DockerParts } from '../docker-parts.ts';
import { containerEvent, subjectOf } from '../events/container-events.ts';
import { platformOf } from '../images/platform.ts';
import { findImage, noSuchImage } from '../images/references.ts';
import { untilOf } from '../images/until.ts';
import { containerOf } from '../streams/containers.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, route } from '../wire/route.ts';

const NAME = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** Empty where none is given. @throws DockerError 400 */
function nameOf(name: string): string {
  if (name !== '' && !NAME.test(name))
    throw new DockerError(400, `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  return name.replace(/^\//, '');
}

/** @throws DockerError 404 */
function imageNamed(docker: DockerParts, name: string): ImageRecord {
  const image = docker.images.get(findImage(docker, name).id);
  if (image === undefined) throw noSuchImage(name);
  return image;
}

/** Docker's clients may send any case. @throws DockerError 400 */
function imageIn(body: unknown): string {
  const { Image } = containerBody(body);
  return Image;
}

/** The API version from which a container may be asked for with a platform. */
const WITH_PLATFORM = 41;

/** @param wanted null: any. @throws DockerError 404, after which clients pull the image of that platform */
function requirePlatform({ os, architecture }: ImageRecord, name: string, wanted: string | null): void {
  const actual = `${os}/${architecture}`;
  // A variant is not in the records of images.
  if (wanted === null || wanted.split('/').slice(0, 2).join('/') === actual) return;
  throw new DockerError(
    404,
    `image with reference ${name} was found but does not match the specified platform: wanted ${wanted}, actual: ${actual}`,
  );
}

async function create(call: DockerCall): Promise<DockerReply> {
  const { docker, query } = call;
  const name = nameOf(query.text('name'));
  const body = await call.readBody();
  const image = imageNamed(docker, imageIn(body));
  if (call.minor >= WITH_PLATFORM) requirePlatform(image, imageIn(body), platformOf(query.text('platform')));
  const context = knownNow(docker, image, call.minor);
  const { spec, newVolumes, autoRemove, warnings } = specOfCreate(body, context);
  const request = requestOf(call, body, autoRemove);
  const imageVolumes = Object.keys(image.config?.Volumes ?? {});
  const record = await docker.imperative.containers.create({ name, spec, imageVolumes, newVolumes, request });
  return json({ Id: record.id, Warnings: warnings }, 201);
}

async function remove(call: DockerCall): Promise<DockerReply> {
  const { docker, query, client: by } = call;
  const record = containerOf(call);
  await docker.imperative.containers.remove(record, { force: query.flag('force'), volumes: query.flag('v'), by });
  return { type: 'empty', status: 204 };
}

async function rename(call: DockerCall): Promise<DockerReply> {
  const { docker, query, client } = call;
  const record = containerOf(call);
  const name = nameOf(query.text('name'));
  if (name === '') throw new DockerError(400, 'Neither old nor new names may be empty');
  if (name === record.engineName)
    throw new DockerError(400, 'Renaming a container with the same name as its current name');
  await docker.imperative.containers.rename(record, name, client);
  const renamed = docker.containers.get(record.id);
  if (renamed !== undefined)
    docker.bus.emit(containerEvent(subjectOf(renamed), 'rename', { oldName: `/${record.engineName}` }));
  return { type: 'empty', status: 204 };
}

const PRUNE_FILTERS = ['label', 'label!', 'until'];

async function prune(call: DockerCall): Promise<DockerReply> {
  const { docker, query, client: by } = call;
  const filters = query.filters(PRUNE_FILTERS);
  const until = untilOf(filters.of('until'), docker.clock.now().wallMs);
  const isOver = (record: ContainerRecord): boolean => {
    if (record.owner?.request === undefined || docker.exec.running(record.id) !== null) return false;
    const { labels } = containerSpecOf(record.owner);
    const isOld = until === null || Date.parse(record.created) < until;
    const isAtRest = record.state.status === 'exited' || record.state.status === 'created';
    return isAtRest && isOld && filters.labels(labels) && filters.labels(labels, 'label!');
  };
  const pruned = await pruning(docker, 'containers', async () => {
    const gone: string[] = [];
    let bytes = 0;
    for (const record of docker.containers.all().filter(isOver)) {
      const { writable } = await sizesOf(docker, record, 0);
      // One that was started meanwhile stays.
      const current = docker.containers.get(record.id);
      if (current === undefined || !isOver(current)) continue;
      await docker.imperative.containers.remove(current, { force: false, volumes: false, by });
      gone.push(record.id);
      bytes += writable;
    }
    return { gone, bytes };
  });
  return json({ ContainersDeleted: pruned.gone.length === 0 ? null : pruned.gone, SpaceReclaimed: pruned.bytes });
}

export const createRoutes: readonly DockerRoute[] = [
  route('POST', '/containers/create', create),
  route('POST', '/containers/prune', prune, 25),
  route('POST', '/containers/{id}/rename', rename),
  route('DELETE', '/containers/{id}', remove),
];
