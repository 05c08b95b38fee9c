/** Containers that clients make, remove, rename and prune. */
import { formatTime } from '../../model/clock.ts';
import type { ImperativeRequest } from '../../model/imperative/request.ts';
import type { JsonValue } from '../../model/json.ts';
import type { ImageRecord } from '../../state/images/image-record.ts';
import { containerBody } from '../create/container-body.ts';
import { specOfCreate } from '../create/container-spec.ts';
import { knownNow } from '../create/known-now.ts';
import type { DockerParts } from '../docker-parts.ts';
import { findImage, noSuchImage } from '../images/references.ts';
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

function requestOf(
  { client, uid, docker: { clock } }: DockerCall,
  body: unknown,
  autoRemove: boolean,
): ImperativeRequest {
  return { body: (body ?? {}) as JsonValue, client, uid, autoRemove, at: formatTime(clock.now().wallMs) };
}

/** Docker's clients may send any case. @throws DockerError 400 */
function imageIn(body: unknown): string {
  const { Image } = containerBody(body);
  return Image;
}

async function create(call: DockerCall): Promise<DockerReply> {
  const { docker, query } = call;
  const name = nameOf(query.text('name'));
  const body = await call.readBody();
  const image = imageNamed(docker, imageIn(body));
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

export const createRoutes: readonly DockerRoute[] = [
  route('POST', '/containers/create', create),
  route('DELETE', '/containers/{id}', remove),
];
