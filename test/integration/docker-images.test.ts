/** Images through the Docker API: registries, names and removal, by the real client and by raw requests. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DOCKER_INSTALLED, DockerSession } from '../support/docker-session.ts';
import { busyboxRootfs, dockerArchive, findBusybox, type ImageFixture, tarOf } from '../support/images.ts';
import { FOREVER } from '../support/manifests.ts';
import { REGISTRY_INSTALLED, RegistryServer, SKOPEO_INSTALLED } from '../support/registry.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

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

/** A directory to build from. */
function contextOf(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(supervisor.base, 'context-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

/** The layers of a docker-archive, as tars. */
function layersOf(file: string): Buffer[] {
  const member = (name: string) => execFileSync('tar', ['-xOf', file, name], { maxBuffer: 2 ** 28 });
  const [{ Layers }] = JSON.parse(member('manifest.json').toString()) as [{ Layers: string[] }];
  return Layers.map(member);
}

/** What is left of bodies. */
const uploads = (): string[] =>
  readdirSync(supervisor.root, { recursive: true, encoding: 'utf8' }).filter((name) => /(^|\/)upload-/.test(name));

/** Sends a body that ends before it is complete, and waits until nothing of it is left. */
async function cutOff(path: string): Promise<void> {
  const socket = connect(supervisor.socket.replace('unix://', ''));
  socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(5_000)}`);
  await until('the body arriving', () => uploads().length > 0);
  socket.destroy();
  await until('nothing left of it', () => uploads().length === 0);
}

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
      expect(await docker.ok('rmi', name)).toMatch(
        new RegExp(`^Untagged: ${name}\nUntagged: ${server.host}/gone@sha256:[0-9a-f]{64}\n$`),
      );
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

    test('save, load and import keep what images are', async () => {
      await docker.ok('pull', `${server.host}/base:1`);
      await docker.ok('tag', `${server.host}/base:1`, 'saved:1');
      await docker.ok('tag', `${server.host}/base:1`, 'saved:2');
      const file = join(supervisor.base, 'saved.tar');
      await docker.ok('save', '-o', file, 'saved:1', 'saved:2');
      expect(execFileSync('tar', ['-tf', file], { encoding: 'utf8' })).toContain('manifest.json');
      const manifest = JSON.parse(execFileSync('tar', ['-xOf', file, 'manifest.json'], { encoding: 'utf8' })) as [
        { RepoTags: string[] },
      ];
      expect(manifest[0].RepoTags).toEqual(['saved:1', 'saved:2']);
      await docker.ok('rmi', 'saved:1', 'saved:2');
      expect(await docker.ok('load', '-i', file)).toBe('Loaded image: saved:1\nLoaded image: saved:2\n');
      const whole = await docker.raw('GET', '/images/get?names=saved');
      expect(whole.headers['content-type']).toBe('application/x-tar');
      writeFileSync(file, whole.body);
      expect(execFileSync('tar', ['-xOf', file, 'manifest.json'], { encoding: 'utf8' })).toContain('"saved:2"');
      expect((await docker.raw('GET', '/images/get?names=nope')).json).toEqual({
        message: 'No such image: nope',
      });
      expect((await docker.raw('GET', '/images/get')).status).toBe(400);
      const rootfs = tarOf({ path: 'only', content: 'here' });
      const imported = await docker.runWith(rootfs, 'import', '-c', 'CMD ["/only"]', '-m', 'why', '-', 'imported:1');
      expect(imported.stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
      expect(await docker.ok('rmi', 'imported:1')).toContain(`Deleted: ${imported.stdout.trim()}`);
      await docker.ok('rmi', 'saved:1', 'saved:2');
    });

    test('what is no archive is refused, and leaves no file', async () => {
      const good = dockerArchive({ layers: [tarOf({ path: 'a', content: 'a' })], names: ['cut:1'] });
      const bodies = [
        Buffer.from('not a tar'),
        Buffer.alloc(0),
        good.subarray(0, 700),
        tarOf({ path: '../escape', content: 'x' }),
        dockerArchive({ layers: [tarOf({ path: '../../escape', content: 'x' })], names: ['bad:1'] }),
      ];
      for (const body of bodies) {
        const answer = await docker.raw('POST', '/images/load?quiet=1', { body });
        const last = JSON.parse(answer.body.toString().trim().split('\r\n').at(-1) ?? '') as { error: string };
        expect(answer.status).toBe(200);
        expect(last).toEqual({ errorDetail: { message: last.error }, error: expect.any(String) });
        expect(last.error).not.toContain(supervisor.base);
      }
      const url = await docker.raw('POST', '/images/create?fromSrc=http%3A%2F%2F127.0.0.1%2Fx.tar', { body: good });
      expect(url.status).toBe(501);
      // The sender of a large body reads the refusal, and no broken connection.
      const large = await docker.raw('POST', '/build?networkmode=container%3Ax', { body: Buffer.alloc(50_000_000) });
      expect(large.status).toBe(501);
      await cutOff('/images/load');
      await cutOff('/build?t=cut');
      expect(uploads()).toEqual([]);
    });

    test('the classic builder prints its steps, uses its cache, and tags', async () => {
      await docker.ok('pull', `${server.host}/base:1`);
      const context = contextOf({
        Dockerfile: `FROM ${server.host}/base:1 AS one\nARG WHO=nobody\nRUN echo "hello $WHO" && echo $WHO > /who\nFROM ${server.host}/base:1\nCOPY --from=one /who /who\nCOPY . /src/\nENV A=b\nCMD ["cat", "/who"]\n`,
        '.dockerignore': 'secret\n',
        secret: 'secret',
        file: 'file',
      });
      const build = (...args: string[]) =>
        docker.ok(
          'build',
          '-t',
          'built:1',
          '-t',
          'built:2',
          '--build-arg',
          'WHO=world',
          '--label',
          'x=y',
          ...args,
          context,
        );
      const first = await build();
      expect(first).toContain(`Step 1/8 : FROM ${server.host}/base:1 AS one`);
      expect(first).toMatch(
        /^Step 3\/8 : RUN echo .*\n ---> Running in [0-9a-f]{12}\nhello world\n ---> Removed intermediate container [0-9a-f]{12}\n ---> [0-9a-f]{12}$/m,
      );
      expect(first).toMatch(
        /Step 8\/8 : CMD .*\n ---> [0-9a-f]{12}\nSuccessfully built [0-9a-f]{12}\nSuccessfully tagged built:1\nSuccessfully tagged built:2\n$/,
      );
      const second = await build();
      expect(second).toContain(' ---> Using cache\n');
      expect(second).not.toContain('Running in');
      expect(/built ([0-9a-f]{12})/.exec(second)?.[1]).toBe(/built ([0-9a-f]{12})/.exec(first)?.[1]);
      expect(await build('--no-cache')).toContain('Running in');
      expect(await build('-q')).toMatch(/^sha256:[0-9a-f]{64}\n$/);
      const file = join(supervisor.base, 'built.tar');
      await docker.ok('save', '-o', file, 'built:1');
      const names = layersOf(file).flatMap((layer) =>
        execFileSync('tar', ['-t'], { input: layer, encoding: 'utf8' }).split('\n'),
      );
      expect(names).toContain('src/file');
      expect(names).not.toContain('src/secret');
    });

    test('RUN has the hosts and limits that the build is given', async () => {
      const dockerfile = (command: string) => contextOf({ Dockerfile: `FROM ${server.host}/base:1\nRUN ${command}\n` });
      const limits = [
        '--add-host',
        'friend:192.0.2.7',
        '--shm-size',
        '3m',
        '--ulimit',
        'nofile=77:99',
        '--memory',
        '40m',
      ];
      const build = (command: string) => docker.run('build', '--no-cache', ...limits, dockerfile(command));
      const shown = await build('cat /etc/hosts; ulimit -n; grep shm /proc/mounts');
      expect(shown.stdout).toContain('192.0.2.7\tfriend\n');
      expect(shown.stdout).toContain('\n77\n');
      expect(shown.stdout).toMatch(/\/dev\/shm tmpfs [^\n]*size=3072k/);
      const greedy = await build('dd if=/dev/zero of=/dev/null bs=200M count=1');
      expect(greedy.stderr).toMatch(/returned a non-zero code: 137/);
    });

    test('a build that fails says the command and its code, or what is wrong before a step', async () => {
      const raw = (body: Buffer, query = '') => docker.raw('POST', `/v1.45/build${query}`, { body });
      const failing = await raw(
        tarOf({ path: 'Dockerfile', content: `FROM ${server.host}/base:1\nRUN echo out; exit 3\n` }),
      );
      expect(failing.status).toBe(200);
      expect(failing.lines).toContainEqual({ stream: 'out\n' });
      const message = "The command '/bin/sh -c echo out; exit 3' returned a non-zero code: 3";
      expect(failing.lines.at(-1)).toEqual({ errorDetail: { code: 3, message }, error: message });
      const copying = await raw(tarOf({ path: 'Dockerfile', content: 'FROM scratch\nCOPY none /\n' }));
      expect(copying.lines.at(-1)?.error).toMatch(/none/);
      const unknown = await raw(tarOf({ path: 'Dockerfile', content: 'FROM scratch\nFOO bar\n' }));
      expect([unknown.status, unknown.json]).toEqual([
        400,
        { message: 'dockerfile parse error on line 2: unknown instruction: FOO' },
      ]);
      const missing = await raw(tarOf({ path: 'other', content: '' }), '?dockerfile=sub%2FDockerfile');
      expect([missing.status, missing.json]).toEqual([
        400,
        { message: 'Cannot locate specified Dockerfile: sub/Dockerfile' },
      ]);
      for (const query of [
        '?t=Bad',
        '?labels=x',
        '?buildargs=%5B1%5D',
        '?version=2',
        '?platform=foobar',
        '?target=none',
      ])
        expect((await raw(tarOf({ path: 'Dockerfile', content: 'FROM scratch\nENV A=b\n' }), query)).status).toBe(400);
      for (const query of [
        '?cgroupparent=x',
        '?extrahosts=a%3Ahost-gateway',
        '?remote=https%3A%2F%2Fx.example%2Fa.git',
      ])
        expect((await raw(Buffer.alloc(0), query)).status).toBe(501);
    });

    test('a context reaches nothing of the host, by its names, its links or its Dockerfile', async () => {
      const secret = join(supervisor.base, 'host-secret');
      writeFileSync(secret, 'of the host');
      const from = `FROM ${server.host}/base:1\n`;
      const build = (body: Buffer, query = '') => docker.raw('POST', `/build?t=hostile${query}`, { body });
      for (const path of ['../escape', `${supervisor.base}/absolute`, 'a/../../escape']) {
        await build(tarOf({ path: 'Dockerfile', content: from }, { path, content: 'x' }));
        expect(existsSync(join(supervisor.base, 'absolute'))).toBe(false);
      }
      const link = { path: 'link', type: 'symlink', linkname: supervisor.base } as const;
      const through = await build(
        tarOf({ path: 'Dockerfile', content: from }, link, { path: 'link/through', content: 'x' }),
      );
      expect(through.status === 400 || through.body.includes('Successfully built')).toBe(true);
      expect(existsSync(join(supervisor.base, 'through'))).toBe(false);
      const read = await build(
        tarOf(
          { path: 'Dockerfile', content: `${from}COPY link/host-secret /got\nRUN cat /got\n` },
          { path: 'link', type: 'symlink', linkname: supervisor.base },
        ),
      );
      expect(read.body.toString()).not.toContain('of the host');
      const hard = await build(
        tarOf(
          { path: 'Dockerfile', content: `${from}COPY got /got\nRUN cat /got\n` },
          { path: 'got', type: 'link', linkname: secret },
        ),
      );
      expect(hard.body.toString()).not.toContain('of the host');
      const named = await build(tarOf({ path: 'a', content: '' }), `&dockerfile=${encodeURIComponent(secret)}`);
      expect(named.json).toEqual({ message: `Cannot locate specified Dockerfile: ${secret.slice(1)}` });
      expect(uploads()).toEqual([]);
    });

    test('clients that want BuildKit hear how to build without it', async () => {
      const how = { message: expect.stringContaining('DOCKER_BUILDKIT=0') };
      for (const path of ['/session', '/grpc', '/build/cancel?id=x']) {
        const { status, json } = await docker.raw('POST', path);
        expect([status, json]).toEqual([501, how]);
      }
      const upgrade = { connection: 'Upgrade', upgrade: 'h2c' };
      expect((await docker.raw('POST', '/grpc', { headers: upgrade })).json).toEqual(how);
      const pulled = await docker.raw('POST', '/images/create?fromImage=moby%2Fbuildkit&tag=buildx-stable-1');
      expect([pulled.status, pulled.json]).toEqual([501, how]);
      const body = tarOf({ path: 'Dockerfile', content: 'FROM scratch\n' });
      expect((await docker.raw('POST', '/build?version=2', { body })).json).toEqual(how);
    });

    test('a private base image is pulled with the logins of the client', async () => {
      await closed.fill('base:1', image('private base'), `--dest-creds=${LOGIN.username}:${LOGIN.password}`);
      const context = contextOf({ Dockerfile: `FROM ${closed.host}/base:1\nRUN cat /marker\n` });
      expect((await docker.run('build', context)).status).not.toBe(0);
      const login = ['login', '--username', LOGIN.username, '--password-stdin', closed.host];
      expect((await docker.runWith(LOGIN.password, ...login)).status).toBe(0);
      expect(await docker.ok('build', context)).toContain('private base');
      await docker.ok('logout', closed.host);
      // It is here now, and is looked up only where that is asked for.
      await docker.ok('build', context);
      expect((await docker.run('build', '--pull', context)).status).not.toBe(0);
    });

    test('a registry is asked for what it has under a name, and searched', async () => {
      const found = await docker.raw('GET', `/distribution/${server.host}/base:1/json`);
      expect(found.json).toEqual({
        Descriptor: {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          digest: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
          size: expect.any(Number),
        },
        Platforms: [{ os: 'linux', architecture: expect.any(String) }],
      });
      expect((await docker.raw('GET', `/distribution/${server.host}/base:none/json`)).status).toBe(404);
      expect((await docker.raw('GET', `/distribution/${closed.host}/base:1/json`)).status).toBe(401);
      expect(await docker.ok('search', '--format', '{{.Name}}', `${server.host}/bas`)).toBe(`${server.host}/base\n`);
      expect((await docker.raw('GET', '/images/search?term=x&limit=101')).status).toBe(400);
    });

    test('prune removes what has no name, and with a filter only that', async () => {
      const built = async (label: string) => {
        const body = tarOf({ path: 'Dockerfile', content: `FROM scratch\nLABEL keep=${label}\n` });
        const { lines } = await docker.raw('POST', '/build?q=1', { body });
        return String(lines[0]?.stream).trim();
      };
      const [kept, gone] = [await built('yes'), await built('no')];
      const filters = encodeURIComponent(JSON.stringify({ 'label!': ['keep=yes'] }));
      const { json } = await docker.raw('POST', `/images/prune?filters=${filters}`);
      expect(json).toMatchObject({
        ImagesDeleted: expect.arrayContaining([{ Deleted: gone }]),
        SpaceReclaimed: expect.any(Number),
      });
      expect(JSON.stringify(json)).not.toContain(kept);
      const old = encodeURIComponent(JSON.stringify({ until: ['48h'] }));
      expect(JSON.stringify((await docker.raw('POST', `/images/prune?filters=${old}`)).json)).not.toContain(kept);
      expect(await docker.ok('image', 'prune', '-f')).toContain(`deleted: ${kept}`);
      const cache = await docker.raw('POST', '/build/prune');
      expect(cache.json).toEqual({ CachesDeleted: null, SpaceReclaimed: expect.any(Number) });
      expect((await docker.raw('POST', '/images/prune?filters=%7B%22x%22%3A%5B%5D%7D')).status).toBe(400);
    });

    test('commit makes an image of what a container changed', async () => {
      const from = `FROM ${server.host}/base:1\nENV A=one B=two\nCMD ["sh"]\n`;
      await docker.raw('POST', '/build?t=committed-from', { body: tarOf({ path: 'Dockerfile', content: from }) });
      supervisor.drop('commit.yaml', `containers:\n  box: { image: "committed-from:latest", command: ${FOREVER} }\n`);
      const { id } = await supervisor.waitFor('box', 'ready', ({ ready }) => ready);
      await supervisor.ok('exec', 'box', 'sh', '-c', 'echo changed > /changed');
      const answer = await docker.raw(
        'POST',
        `/commit?container=${id}&repo=committed&tag=1&changes=ENV%20C%3Dthree&comment=c`,
        {
          body: { Cmd: ['cat', '/changed'], Env: ['B=other'], Labels: null },
        },
      );
      expect(answer.status).toBe(201);
      const committed = (answer.json as { Id: string }).Id;
      const built = await docker.raw('POST', '/build', {
        body: tarOf({ path: 'Dockerfile', content: 'FROM committed:1\nRUN cat /changed; echo $A $B $C\n' }),
      });
      expect(built.body.toString()).toContain('changed');
      expect(built.body.toString()).toContain('one other three');
      await docker.ok(
        'create',
        '--name',
        'made',
        '-e',
        'D=four',
        '-w',
        '/bin',
        'committed:1',
        'sh',
        '-c',
        'echo $A $D; pwd',
      );
      await docker.ok('commit', '-c', 'ENV E=five', 'made', 'committed:2');
      const saved = join(supervisor.base, 'committed.tar');
      await docker.ok('save', '-o', saved, 'committed:2');
      const member = (name: string) => execFileSync('tar', ['-xOf', saved, name], { encoding: 'utf8' });
      const [{ Config }] = JSON.parse(member('manifest.json')) as [{ Config: string }];
      const { config } = JSON.parse(member(Config)) as { config: { Env: string[]; Cmd: string[]; WorkingDir: string } };
      expect(config).toMatchObject({ Cmd: ['sh', '-c', 'echo $A $D; pwd'], WorkingDir: '/bin' });
      expect(config.Env).toEqual(expect.arrayContaining(['A=one', 'D=four', 'E=five']));
      await docker.ok('rm', 'made');
      expect(committed).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect((await docker.raw('POST', '/commit?container=nope')).status).toBe(404);
      expect((await docker.raw('POST', `/commit?container=${id}&changes=RUN%20x`)).status).toBe(400);
      expect((await docker.raw('POST', `/commit?container=${id}`, { body: { Env: 7 } })).status).toBe(400);
    });

    test('a name with a digest is one of the image, until it is taken away', async () => {
      await server.fill('pinned:1', { layers: [tarOf({ path: 'pinned', content: 'pinned' })] });
      const repository = `${server.host}/pinned`;
      const [, digest = ''] = /^Digest: (sha256:\S+)$/m.exec(await docker.ok('pull', `${repository}:1`)) ?? [];
      const name = `${repository}@${digest}`;
      await docker.ok('tag', name, 'by-digest:1');
      // With its last tag the image goes, and the name with it.
      await docker.ok('rmi', 'by-digest:1', `${repository}:1`);
      expect((await docker.run('rmi', name)).stderr).toContain(`No such image: ${name}`);
      expect(await docker.ok('pull', name)).toContain(`Digest: ${digest}`);
      expect(await docker.ok('rmi', name)).toMatch(new RegExp(`^Untagged: ${name}\nDeleted: sha256:[0-9a-f]{64}\n$`));
      await docker.ok('pull', name);
      await docker.ok('tag', name, 'by-digest:2');
      await docker.ok('create', '--name', 'pinned', name, '/any');
      expect(await docker.ok('ps', '-a', '--filter', 'name=pinned', '--format', '{{.Names}}')).toBe('pinned\n');
      await docker.ok('rm', 'pinned');
      expect(await docker.ok('rmi', name)).toBe(`Untagged: ${name}\n`);
      expect((await docker.run('rmi', name)).stderr).toContain(`No such image: ${name}`);
      await docker.ok('rmi', 'by-digest:2');
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
