/** Images of this host: their names, and their removal. */

import { familiarRepository } from '../../model/image-reference.ts';
import { checkImageName, parseImageName } from '../../state/images/image-names.ts';
import { findImage, referenceOf } from '../images/references.ts';
import { removeImage } from '../images/remove.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';
import { imageRegistryRoutes } from './images-registry.ts';

async function tag(call: DockerCall): Promise<DockerReply> {
  const { docker, query } = call;
  const { id } = findImage(docker, param(call, 'name'));
  const suffix = query.text('tag') === '' ? '' : `:${query.text('tag')}`;
  const reference = referenceOf(`${query.text('repo')}${suffix}`);
  const name = `${familiarRepository(reference)}:${reference.tag ?? 'latest'}`;
  checkImageName(parseImageName(name));
  await docker.api.registry.tag(id, name, true);
  return { type: 'empty', status: 201 };
}

export const imageRoutes: readonly DockerRoute[] = [
  ...imageRegistryRoutes,
  route('POST', '/images/{name+}/tag', tag),
  route('DELETE', '/images/{name+}', async (call) =>
    json(await removeImage(call.docker, param(call, 'name'), call.query.flag('force'))),
  ),
];
