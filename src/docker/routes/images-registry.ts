/** Images between this host and registries. */
import { login } from '../images/auth.ts';
import { platformOf } from '../images/platform.ts';
import { pull, pullAll } from '../images/pull.ts';
import { push } from '../images/push.ts';
import { referenceOf } from '../images/references.ts';
import { readAuthHeader } from '../images/registry-auth.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';

const hasTag = (text: string): boolean => /[:@][^/]*$/.test(text);

async function create(call: DockerCall): Promise<DockerReply> {
  const { docker, query, request, signal } = call;
  const from = query.text('fromImage');
  if (from === '') throw new DockerError(400, 'fromImage or fromSrc is needed');
  const tag = query.text('tag');
  // A tag may be a digest; one beside a name that has a digest already is not looked at.
  const text = tag === '' || from.includes('@') ? from : `${from}${tag.startsWith('sha256:') ? '@' : ':'}${tag}`;
  const reference = referenceOf(text);
  const platform = call.minor < 32 ? null : platformOf(query.text('platform'));
  const asked = { platform, credentials: readAuthHeader(request.headers['x-registry-auth']), signal };
  const items = await (hasTag(text) ? pull(docker, reference, asked) : pullAll(docker, reference, asked));
  return { type: 'lines', items };
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

export const imageRegistryRoutes: readonly DockerRoute[] = [
  route('POST', '/auth', async ({ docker, readBody, signal }) => json(await login(docker, await readBody(), signal))),
  route('POST', '/images/create', create),
  route('POST', '/images/{name+}/push', pushed),
];
