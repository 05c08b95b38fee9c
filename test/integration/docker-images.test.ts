/** Images through the Docker API: registries, names and removal, by the real client and by raw requests. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DOCKER_INSTALLED, DockerSession } from '../support/docker-session.ts';
import { busyboxRootfs, findBusybox, type ImageFixture, tarOf } from '../support/images.ts';
import { FOREVER } from '../support/manifests.ts';
import { REGISTRY_INSTALLED, RegistryServer, SKOPEO_INSTALLED } from '../support/registry.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const busybox = findBusybox();
const LOGIN = { username: 'me', password: 'secret' };
const SHELL = { Cmd: ['sh'], Env: ['PATH=/bin:/usr/bin:/sbin:/usr/sbin'] };

const supervisor = new TestSupervisor();
const docker = new DockerSession(supervisor);
const server = new RegistryServer();
const closed = new RegistryServer();
let base: Buffer;

const image = (marker: string): ImageFixture => ({
  layers: [base, tarOf({ path: 'marker', content: marker })],
  config: SHELL,
});

const statuses = (lines: readonly Readonly<Record<string, unknown>>[]) => lines.map(({ status }) => status);

describe.skipIf(!DOCKER_INSTALLED || !REGISTRY_INSTALLED || !SKOPEO_INSTALLED || busybox === null)(
  'images through the Docker API (needs docker, docker-registry, skopeo and busybox)',
  () => {
    beforeAll(async () => {
      const rootfs = join(server.directory, 'rootfs');
      mkdirSync(rootfs);
      busyboxRootfs(rootfs, busybox ?? '');
      base = execFileSync('tar', ['-C', rootfs, '--sort=name', '--mtime=@0', '-cf', '-', '.'], { maxBuffer: 2 ** 28 });
      await Promise.all([server.start(), closed.start({ basic: LOGIN }), supervisor.start()]);
      await server.fill('base:1', image('one'));
    });

    afterAll(async () => {
      await supervisor.destroy();
      await Promise.all([server.stop(), closed.stop()]);
    });

    test('pull prints what docker expects, and says when the image is up to date', async () => {
      const name = `${server.host}/base:1`;
      const first = await docker.ok('pull', name);
      expect(first).toContain('1: Pulling from base');
      expect(first).toMatch(/^[0-9a-f]{12}: Pull complete$/m);
      expect(first).toMatch(/^Digest: sha256:[0-9a-f]{64}$/m);
      expect(first).toContain(`Status: Downloaded newer image for ${name}`);
      const again = await docker.ok('pull', name);
      expect(again).toContain(`Status: Image is up to date for ${name}`);
      expect(await docker.ok('pull', '-q', name)).toBe(`${name}\n`);
    });

    test('lines of a pull have layers by the ids of their downloads, and end with CRLF', async () => {
      await server.fill('lines:1', { layers: [tarOf({ path: 'lines', content: randomBytes(3_000_000) })] });
      const from = encodeURIComponent(`${server.host}/lines`);
      const answer = await docker.raw('POST', `/v1.45/images/create?fromImage=${from}&tag=1`);
      expect(answer.status).toBe(200);
      expect(answer.headers['content-type']).toBe('application/json');
      expect(answer.headers['transfer-encoding']).toBe('chunked');
      const { lines } = answer;
      const layer = lines.find(({ status }) => status === 'Pulling fs layer')?.id;
      expect(layer).toMatch(/^[0-9a-f]{12}$/);
      const ofLayer = lines.filter(({ id }) => id === layer);
      expect(statuses(ofLayer)).toEqual(
        expect.arrayContaining(['Pulling fs layer', 'Downloading', 'Download complete', 'Extracting', 'Pull complete']),
      );
      expect(ofLayer.find(({ status }) => status === 'Downloading')?.progressDetail).toEqual({
        current: expect.any(Number),
        total: expect.any(Number),
      });
      expect(lines[0]).toEqual({ status: 'Pulling from lines', id: '1' });
      const again = await docker.raw('POST', `/v1.45/images/create?fromImage=${from}&tag=1`);
      expect(again.lines.filter(({ id }) => id === layer)).toContainEqual({
        status: 'Already exists',
        progressDetail: {},
        id: layer,
      });
    });

    test('a pull without a tag takes all tags', async () => {
      await server.fill('many:a', image('a'));
      await server.fill('many:b', image('b'));
      await docker.ok('pull', '-a', `${server.host}/many`);
      for (const tag of ['a', 'b']) await docker.ok('tag', `${server.host}/many:${tag}`, `of-${tag}`);
    });

    test('what cannot be pulled is an error before the first line', async () => {
      const missing = await docker.run('pull', `${server.host}/base:none`);
      expect(missing.status).toBe(1);
      expect(missing.stderr).toContain(`manifest for ${server.host}/base:none not found: manifest unknown`);
      const denied = await docker.raw('POST', `/images/create?fromImage=${encodeURIComponent(closed.host)}%2Fx&tag=1`);
      expect(denied.status).toBe(404);
      expect(denied.json).toEqual({
        message: expect.stringContaining(
          `pull access denied for ${closed.host}/x, repository does not exist or may require 'docker login'`,
        ),
      });
      const bad = await docker.raw('POST', '/images/create?fromImage=Bad&tag=1');
      expect([bad.status, bad.json]).toEqual([
        400,
        { message: 'invalid reference format: repository name (Bad) must be lowercase' },
      ]);
      const other = await docker.raw(
        'POST',
        `/images/create?fromImage=${server.host}/base&tag=1&platform=linux%2Fs390x`,
      );
      expect(other.status).toBeGreaterThanOrEqual(400);
      expect((await docker.raw('POST', '/images/create?fromImage=x&tag=1&platform=a%2Fb%2Fc%2Fd')).status).toBe(400);
    });

    test('login asks the registry, which takes the right password only', async () => {
      const login = (password: string) =>
        docker.runWith(password, 'login', '--username', LOGIN.username, '--password-stdin', closed.host);
      const wrong = await login('wrong');
      expect(wrong.status).toBe(1);
      expect(wrong.stderr).toContain(`login attempt to ${closed.host} failed: unauthorized`);
      await closed.fill('private:1', image('private'), `--dest-creds=${LOGIN.username}:${LOGIN.password}`);
      expect((await docker.run('pull', `${closed.host}/private:1`)).status).toBe(1);
      expect((await login(LOGIN.password)).stdout).toContain('Login Succeeded');
      await docker.ok('pull', `${closed.host}/private:1`);
      await docker.ok('tag', `${closed.host}/private:1`, `${closed.host}/private:2`);
      await docker.ok('push', `${closed.host}/private:2`);
      await docker.ok('logout', closed.host);
      expect((await docker.run('push', `${closed.host}/private:2`)).stderr).toContain('push access denied');
      for (const body of [undefined, {}, { username: 'me', password: 'x', serveraddress: 7 }])
        expect((await docker.raw('POST', '/auth', { body })).status).toBe(400);
      const asked = { ...LOGIN, serveraddress: `http://${closed.host}/v2/` };
      expect((await docker.raw('POST', '/auth', { body: asked })).json).toEqual({
        Status: 'Login Succeeded',
        IdentityToken: '',
      });
    });

    test('tag gives a name, push sends it, and another host has the same image', async () => {
      await docker.ok('pull', `${server.host}/base:1`);
      const name = `${server.host}/team/pushed:v2`;
      await docker.ok('tag', `${server.host}/base:1`, name);
      const pushed = await docker.ok('push', name);
      expect(pushed).toContain(`The push refers to repository [${server.host}/team/pushed]`);
      expect(pushed).toMatch(/[0-9a-f]{12}: (Mounted from base|Layer already exists|Pushed)/);
      expect(pushed).toMatch(/^v2: digest: sha256:[0-9a-f]{64} size: \d+$/m);
      const repository = encodeURIComponent(`${server.host}/team/pushed`);
      const again = await docker.raw('POST', `/images/${repository}/push?tag=v2`, {
        headers: { 'x-registry-auth': '' },
      });
      expect(again.lines.at(-1)).toEqual({
        progressDetail: {},
        aux: { Tag: 'v2', Digest: expect.stringMatching(/^sha256:/), Size: expect.any(Number) },
      });
      const unknown = await docker.run('push', `${server.host}/nothing:1`);
      expect(unknown.status).toBe(1);
      expect(unknown.stderr).toContain('An image does not exist locally with the tag');
    });

    test('a name is taken away by itself, and the image goes with the last one', async () => {
      await server.fill('gone:1', { layers: [tarOf({ path: 'gone', content: 'gone' })] });
      const name = `${server.host}/gone:1`;
      await docker.ok('pull', name);
      await docker.ok('tag', name, 'other/gone:2');
      expect(await docker.ok('rmi', name)).toBe(`Untagged: ${name}\n`);
      expect(await docker.ok('rmi', 'other/gone:2')).toMatch(
        /^Untagged: other\/gone:2\nDeleted: sha256:[0-9a-f]{64}\n$/,
      );
      const missing = await docker.run('rmi', 'other/gone:2');
      expect(missing.stderr).toContain('No such image: other/gone:2');
      expect((await docker.raw('DELETE', '/images/nope')).json).toEqual({ message: 'No such image: nope:latest' });
      expect((await docker.raw('POST', '/images/nope/tag?repo=a&tag=b')).status).toBe(404);
      expect((await docker.raw('POST', `/images/${server.host}/base:1/tag?repo=a&tag=b`)).status).toBe(201);
      expect((await docker.raw('POST', '/images/a:b/tag?repo=A&tag=b')).status).toBe(400);
      await docker.ok('rmi', 'a:b');
    });

    test('an image in several repositories or in use is kept', async () => {
      await server.fill('used:1', image('used'));
      const name = `${server.host}/used:1`;
      await docker.ok('pull', name);
      supervisor.drop('used.yaml', `containers:\n  web: { image: "${name}", command: ${FOREVER} }\n`);
      const { id } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
      const refusal = async (text: string, query = '') => {
        const { status, json } = await docker.raw('DELETE', `/images/${text}${query}`);
        return `${status} ${(json as { message: string }).message}`;
      };
      const byName = await refusal(name);
      const [, imageId = ''] = /image ([0-9a-f]{12})$/.exec(byName) ?? [];
      expect(byName).toBe(
        `409 conflict: unable to remove repository reference "${name}" (must force) - ` +
          `container ${id.slice(0, 12)} is using its referenced image ${imageId}`,
      );
      const running = `409 conflict: unable to delete ${imageId} (cannot be forced) - image is being used by running container ${id.slice(0, 12)}`;
      expect(await refusal(imageId)).toBe(running);
      expect(await refusal(imageId, '?force=1')).toBe(running);
      await supervisor.ok('stop', 'web');
      expect(await refusal(imageId)).toBe(
        `409 conflict: unable to delete ${imageId} (must be forced) - image is being used by stopped container ${id.slice(0, 12)}`,
      );
      await docker.ok('tag', name, 'elsewhere:1');
      expect(await refusal(imageId)).toBe(
        `409 conflict: unable to delete ${imageId} (must be forced) - image is referenced in multiple repositories`,
      );
      await docker.ok('rmi', 'elsewhere:1');
      expect(await refusal(name, '?force=1')).toMatch(/^409 .*image.* is it/);
    });
  },
);
