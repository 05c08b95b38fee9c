/** Images of this host: their names, what they are made of and saved to, and their removal. */
import { checkImageName, parseImageName } from '../../state/images/image-names.ts';
import { load, namesToSave } from '../images/archives.ts';
import { build } from '../images/build/build.ts';
import { noBuildKit } from '../images/build/buildkit.ts';
import { commit } from '../images/commit.ts';
import { PRUNE_FILTERS, pruneBuildCache, pruneImages } from '../images/prune.ts';
import { findImage, nameOf, referenceOf } from '../images/references.ts';
import { removeImage } from '../images/remove.ts';
import { containerOf } from '../streams/containers.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';
import { draining } from '../wire/upload.ts';
import { imageRegistryRoutes } from './images-registry.ts';

/** Empty where no repository is given. @throws DockerError 400, TSD_BAD_REQUEST */
function nameIn({ query }: DockerCall): string {
  const [repo, tag] = [query.text('repo'), query.text('tag')];
  if (repo === '') return '';
  const name = nameOf(referenceOf(tag === '' ? repo : `${repo}:${tag}`));
  checkImageName(parseImageName(name));
  return name;
}

async function tag(call: DockerCall): Promise<DockerReply> {
  const { id } = findImage(call.docker, param(call, 'name'));
  const name = nameIn(call);
  if (name === '') throw new DockerError(400, 'invalid reference format');
  await call.docker.api.registry.tag(id, name, true);
  return { type: 'empty', status: 201 };
}

function save({ docker }: DockerCall, texts: readonly string[]): DockerReply {
  if (texts.length === 0) throw new DockerError(400, 'names is needed');
  const chunks = docker.archive(namesToSave(docker, texts));
  return { type: 'bytes', chunks, headers: { 'Content-Type': 'application/x-tar' } };
}

async function committed(call: DockerCall): Promise<DockerReply> {
  const { docker, query, signal } = call;
  const body = await call.readBody();
  const asked = {
    container: containerOf({ ...call, params: { id: query.text('container') } }),
    name: nameIn(call),
    changes: query.all('changes').flatMap((text) => (text === '' ? [] : text.split('\n'))),
    message: query.text('comment'),
    author: query.text('author'),
  };
  return json({ Id: await commit(docker, asked, body, signal) }, 201);
}

function buildKit(): DockerReply {
  throw noBuildKit();
}

export const imageRoutes: readonly DockerRoute[] = [
  ...imageRegistryRoutes,
  route('POST', '/images/{name+}/tag', tag),
  route('GET', '/images/get', (call) =>
    save(
      call,
      call.query.all('names').filter((text) => text !== ''),
    ),
  ),
  route('GET', '/images/{name+}/get', (call) => save(call, [param(call, 'name')])),
  route('POST', '/images/load', ({ docker, query, request, signal }) =>
    draining(request, async () => ({
      type: 'lines',
      items: await load(docker, request, query.flag('quiet', true), signal),
    })),
  ),
  route('POST', '/images/prune', async ({ docker, query }) =>
    json(await pruneImages(docker, query.filters(PRUNE_FILTERS))),
  ),
  route('DELETE', '/images/{name+}', async (call) =>
    json(await removeImage(call.docker, param(call, 'name'), call.query.flag('force'))),
  ),
  route('POST', '/commit', committed),
  route('POST', '/build', ({ docker, query, request, minor, signal }) =>
    draining(request, async () => ({ type: 'lines', items: await build(docker, request, query, { minor, signal }) })),
  ),
  route('POST', '/build/prune', async ({ docker }) => json(await pruneBuildCache(docker)), 31),
  route('POST', '/build/cancel', buildKit, 39),
  route('POST', '/session', buildKit),
  route('POST', '/grpc', buildKit),
];
