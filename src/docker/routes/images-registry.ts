/** Images between this host and registries. */
import { formatReference } from '../../model/image-reference.ts';
import { importBody } from '../images/archives.ts';
import { login } from '../images/auth.ts';
import { refuseBuildKitImage } from '../images/build/buildkit.ts';
import { platformOf } from '../images/platform.ts';
import { pull, pullAll } from '../images/pull.ts';
import { push } from '../images/push.ts';
import { nameOf, referenceOf } from '../images/references.ts';
import { readAuthHeader } from '../images/registry-auth.ts';
import { distributionAnswer, distributionError, search } from '../images/search.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';
import { draining } from '../wire/upload.ts';

const hasTag = (text: string): boolean => /[:@][^/]*$/.test(text);

async function create(call: DockerCall): Promise<DockerReply> {
  const { docker, query, request, signal } = call;
  const from = query.text('fromImage');
  if (from === '') return draining(request, () => imported(call));
  const tag = query.text('tag');
  // A tag may be a digest; one beside a name that has a digest already is not looked at.
  const text = tag === '' || from.includes('@') ? from : `${from}${tag.startsWith('sha256:') ? '@' : ':'}${tag}`;
  const reference = referenceOf(text);
  refuseBuildKitImage(reference);
  const platform = call.minor < 32 ? null : platformOf(query.text('platform'));
  const asked = { platform, credentials: readAuthHeader(request.headers['x-registry-auth']), signal };
  const items = await (hasTag(text) ? pull(docker, reference, asked) : pullAll(docker, reference, asked));
  return { type: 'lines', items };
}

/** An image made of the body. */
async function imported({ docker, minor, query, request, signal }: DockerCall): Promise<DockerReply> {
  const source = query.text('fromSrc');
  if (source === '') throw new DockerError(400, 'fromImage or fromSrc is needed');
  if (source !== '-') {
    throw new DockerError(501, 'nothing is fetched from a URL: send the archive as the body, with fromSrc=-');
  }
  const repo = query.text('repo');
  const tag = query.text('tag');
  const name = repo === '' ? '' : nameOf(referenceOf(tag === '' ? repo : `${repo}:${tag}`));
  const platform = minor < 32 ? null : platformOf(query.text('platform'));
  if (platform !== null && platform !== platformOf('linux')) {
    throw new DockerError(501, `an image that is imported is for ${platformOf('linux')}, not for ${platform}`);
  }
  const asked = { name, changes: query.all('changes'), message: query.text('message') };
  return { type: 'lines', items: await importBody(docker, request, asked, signal) };
}

async function pushed(call: DockerCall): Promise<DockerReply> {
  const { docker, query, request, signal } = call;
  const name = param(call, 'name');
  const tag = query.text('tag');
  const text = tag === '' ? name : `${name}:${tag}`;
  const reference = referenceOf(text);
  if (reference.digest !== null) throw new DockerError(400, 'cannot push a digest reference');
  const header = request.headers['x-registry-auth'];
  return { type: 'lines', items: push(docker, reference, hasTag(text), readAuthHeader(header), signal) };
}

async function distribution(call: DockerCall): Promise<DockerReply> {
  const reference = referenceOf(param(call, 'name'));
  const credentials = readAuthHeader(call.request.headers['x-registry-auth']);
  const found = await Promise.resolve(
    call.docker.api.registry.distribution(formatReference(reference), credentials, call.signal),
  ).catch((thrown: unknown) => {
    throw distributionError(thrown, reference);
  });
  return json(distributionAnswer(found));
}

export const imageRegistryRoutes: readonly DockerRoute[] = [
  route('POST', '/auth', async ({ docker, readBody, signal }) => json(await login(docker, await readBody(), signal))),
  route('POST', '/images/create', create),
  route('POST', '/images/{name+}/push', pushed),
  route('GET', '/images/search', async ({ docker, query, request, signal }) =>
    json(await search(docker, query, readAuthHeader(request.headers['x-registry-auth']), signal)),
  ),
  route('GET', '/distribution/{name+}/json', distribution, 30),
];
