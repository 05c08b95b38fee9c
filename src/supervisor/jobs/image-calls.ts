/** The calls of the facade on images, builds and registries, as jobs: by the names of Docker 1.4 where it has them. */
import { z } from 'zod';
import type { BuildApi } from '../../api/images/build.ts';
import type { ImageFilesApi } from '../../api/images/image-files.ts';
import type { LoginRequest, RegistryApi } from '../../api/images/registry-views.ts';
import { buildBody } from '../../api/routes/build.ts';
import { commitBody, importBody, pruneBody, saveBody } from '../../api/routes/image-files.ts';
import { credentials, loginBody, pullBody, pushBody, searchBody } from '../../api/routes/registries.ts';
import { absolutePath, noZeroByte } from '../../api/routes/schemas.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { CallsOf } from './call.ts';
import { object, type Parameter, secret, signal, usageHint, variable, word, wordOf } from './parameters.ts';

const LOGIN = secret('a login as JSON: {"type":"password","username":…,"password":…} or {"type":"identity-token",…}');
const CHANGES = 'Dockerfile instructions for its configuration, as a JSON list';
const NAME = 'repository[:tag] of the new image';
const MESSAGE = 'a comment';

/** `auth` of Docker 1.4 has the login in variables of its own. */
const login: Parameter<LoginRequest> = {
  env: {
    serveraddress: { text: 'the registry' },
    username: { text: 'who logs in' },
    password: secret('proof of that'),
    identitytoken: secret('in place of both'),
  },
  read: ({ job }) => {
    const token = job.env.get('identitytoken');
    const [username, password] = [job.env.get('username'), job.env.get('password')];
    const proof = token === '' ? { type: 'password', username, password } : { type: 'identity-token', token };
    const request = loginBody.safeParse({ registry: job.env.get('serveraddress'), credentials: proof });
    if (request.success) return request.data;
    throw new TsdError('TSD_BAD_REQUEST', 'auth needs a registry and a login', { hint: usageHint(job.spec) });
  },
  show: ({ registry }, { env }) => {
    env.serveraddress = registry;
  },
};

export const BUILD_CALLS: CallsOf<BuildApi> = {
  build: {
    name: 'build',
    summary: 'makes an image from a Dockerfile',
    kind: 'stream',
    parameters: [
      object(
        buildBody.extend({
          dockerfile: noZeroByte.min(1).default('Dockerfile'),
          network: buildBody.shape.network.default('default'),
        }),
        {
          context: 'the context as JSON: {"type":"directory" or "archive","path":…}',
          dockerfile: 'the path of the Dockerfile in the context',
          dockerfileText: secret('the text of the Dockerfile'),
          contexts: 'further contexts as JSON, by name',
          tags: 'names of the image as a JSON list',
          args: secret('build arguments as JSON'),
          labels: 'labels as JSON',
          target: 'the stage to build',
          platform: 'os/architecture[/variant]',
          network: 'default, none or host',
          allow: 'what the build may: network.host',
          noCache: '1: each step again',
          limits: 'what commands may use, as JSON',
          extraHosts: 'NAME:ADDRESS for their hosts file, as a JSON list',
          pull: '1: images of registries are looked up there',
          logins: secret('logins as JSON, by registry'),
          secrets: secret('paths of files by id, as JSON'),
        },
      ),
      signal,
    ],
    recorded: true,
    cancelledAtShutdown: true,
  },
};

export const IMAGE_FILE_CALLS: CallsOf<ImageFilesApi> = {
  save: {
    name: 'image_export',
    summary: 'writes images into an archive or layout on this host',
    kind: 'stream',
    parameters: [
      object(
        saveBody.extend({ format: saveBody.shape.format.default('docker') }),
        { path: 'where to', images: 'names or ids as a JSON list', format: 'docker, oci or oci-layout' },
        ['path'],
      ),
      signal,
    ],
    recorded: true,
  },
  import: {
    name: 'import',
    summary: 'makes an image of the tar of a root filesystem',
    kind: 'stream',
    parameters: [
      object(importBody, { path: 'the tar', name: NAME, changes: CHANGES, message: MESSAGE }, ['path']),
      signal,
    ],
    recorded: true,
  },
  export: {
    name: 'export',
    summary: 'writes the files of a container as a tar on this host',
    kind: 'stream',
    parameters: [word('CONTAINER'), wordOf('PATH', absolutePath), signal],
    recorded: true,
  },
  commit: {
    name: 'commit',
    summary: 'makes an image of what a container changed',
    kind: 'stream',
    parameters: [
      word('CONTAINER'),
      object(commitBody, {
        name: NAME,
        changes: CHANGES,
        message: MESSAGE,
        author: 'who made it',
        config: 'its configuration as JSON',
      }),
      signal,
    ],
    recorded: true,
  },
  changes: {
    name: 'container_changes',
    summary: 'lists what a container changed of its image',
    kind: 'value',
    parameters: [word('CONTAINER'), signal],
  },
  tree: {
    name: 'image_tree',
    summary: 'lists layers and images with what builds on them',
    kind: 'value',
    parameters: [],
  },
  diskUsage: { name: 'disk_usage', summary: 'says what takes room on the disk', kind: 'value', parameters: [] },
  prune: {
    name: 'prune',
    dangerous: true,
    summary: 'removes images that nothing needs',
    kind: 'value',
    parameters: [
      object(pruneBody, {
        all: '1: also images with a name, and what builds keep',
        volumes: '1: also data without a name whose container is gone',
        dryRun: '1: only says what would go',
        listed: 'nothing but this, as a dry run answers it',
      }),
    ],
    recorded: true,
  },
};

export const REGISTRY_CALLS: CallsOf<RegistryApi> = {
  pull: {
    name: 'pull',
    summary: 'brings an image of a registry here',
    kind: 'stream',
    parameters: [
      object(pullBody, { reference: 'the image', platform: 'os/architecture[/variant]', credentials: LOGIN }, [
        'reference',
      ]),
      signal,
    ],
    recorded: true,
    cancelledAtShutdown: true,
  },
  push: {
    name: 'push',
    summary: 'sends an image to its registry',
    kind: 'stream',
    parameters: [object(pushBody, { reference: 'the image', credentials: LOGIN }, ['reference']), signal],
    recorded: true,
  },
  checkLogin: {
    name: 'auth',
    summary: 'proves that a registry takes a login',
    kind: 'value',
    parameters: [login, signal],
  },
  tags: {
    name: 'tags',
    summary: 'lists the tags an image has on its registry',
    kind: 'value',
    parameters: [
      word('REFERENCE'),
      { ...variable('credentials', '', credentials), env: { credentials: LOGIN }, show: () => {} },
      signal,
    ],
  },
  distribution: {
    name: 'distribution',
    summary: 'says what a registry has under a name',
    kind: 'value',
    parameters: [
      word('REFERENCE'),
      { ...variable('credentials', '', credentials), env: { credentials: LOGIN }, show: () => {} },
      signal,
    ],
  },
  search: {
    name: 'search',
    summary: 'looks for images on a registry',
    kind: 'value',
    parameters: [
      object(searchBody, { term: 'what to look for', registry: 'where; left out, Docker Hub', credentials: LOGIN }, [
        'term',
      ]),
      signal,
    ],
  },
  tag: {
    name: 'tag',
    summary: 'gives an image another name',
    kind: 'value',
    parameters: [
      word('IMAGE'),
      word('NAME'),
      variable('force', '1: moves a name that means another image', z.boolean()),
    ],
    recorded: true,
  },
  removeImage: {
    name: 'image_delete',
    dangerous: true,
    summary: 'takes away a name of an image, or the image',
    kind: 'value',
    parameters: [
      object(
        z.object({ image: z.string(), force: z.boolean() }),
        { image: 'a name, an id or its beginning', force: '1: also one with several names, or of a stopped container' },
        ['image'],
      ),
    ],
    recorded: true,
  },
  imageHistory: {
    name: 'history',
    summary: 'tells how an image was made, step by step',
    kind: 'value',
    parameters: [word('IMAGE')],
  },
};
