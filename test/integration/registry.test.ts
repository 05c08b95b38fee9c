import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { busyboxRootfs, findBusybox, type ImageFixture, tarOf } from '../support/images.ts';
import { FOREVER } from '../support/manifests.ts';
import {
  digestOf,
  makeCertificates,
  REGISTRY_INSTALLED,
  RegistryServer,
  SKOPEO_INSTALLED,
  skopeo,
} from '../support/registry.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const busybox = findBusybox();
let supervisor: TestSupervisor;
let server: RegistryServer;

beforeEach(async () => {
  server = new RegistryServer();
  supervisor = new TestSupervisor();
});

afterEach(async () => {
  await supervisor.destroy();
  await server.stop();
});

/** An image that runs, and differs by its marker. */
function image(marker: string): ImageFixture {
  const directory = join(server.directory, 'rootfs');
  if (!existsSync(directory)) {
    mkdirSync(directory);
    busyboxRootfs(directory, busybox ?? '');
  }
  const base = execFileSync('tar', ['-C', directory, '--sort=name', '--mtime=@0', '-cf', '-', '.'], {
    maxBuffer: 2 ** 28,
  });
  return {
    layers: [base, tarOf({ path: 'marker', content: marker })],
    config: { Cmd: ['cat', '/marker'], Env: ['PATH=/bin:/usr/bin:/sbin:/usr/sbin'] },
  };
}

const LOGIN = { username: 'me', password: 'secret' };

describe.skipIf(!REGISTRY_INSTALLED || !SKOPEO_INSTALLED || busybox === null)(
  'registries (needs docker-registry, skopeo and busybox)',
  () => {
    test('a container with a full image name runs, and pull updates it to the new image of the tag', async () => {
      await server.start();
      await server.fill('team/app:v1', image('one'));
      await supervisor.start();
      const file = supervisor.file(
        'app.yaml',
        `containers:\n  web: { image: "${server.host}/team/app:v1", command: ${FOREVER} }\n`,
      );
      await supervisor.ok('apply', '--wait=2m', '-f', file);
      expect(await supervisor.ok('exec', 'web', 'cat', '/marker')).toBe('one');
      const before = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
      await server.fill('team/app:v1', image('two'));
      expect(await supervisor.ok('plan')).toMatch(/nothing|0 operations|^\s*$/i);
      await supervisor.ok('pull', `${server.host}/team/app:v1`);
      await supervisor.waitFor('web', 'recreated', ({ ready, pid }) => ready && pid !== before.pid);
      expect(await supervisor.ok('exec', 'web', 'cat', '/marker')).toBe('two');
      expect(readdirSync(join(supervisor.root, 'downloads'))).toEqual([]);
    });

    test('policy never waits for the image, always checks at an edit, missing does not', async () => {
      await server.start();
      await server.fill('app:1', image('one'));
      await supervisor.start();
      const name = `${server.host}/app:1`;
      const manifest = (policy: string, extra = '') =>
        `images:\n  app: { pull: "${name}", policy: ${policy} }\ncontainers:\n  web: { image: app, command: ${FOREVER}${extra} }\n`;
      supervisor.drop('app.yaml', manifest('never'));
      await supervisor.waitFor('web', 'waiting', ({ message }) =>
        /is not on this host, and its policy is never/.test(message),
      );
      await supervisor.ok('pull', name);
      supervisor.drop('app.yaml', manifest('missing'));
      await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
      await server.fill('app:1', image('two'));
      supervisor.drop('app.yaml', manifest('missing', ', env: { A: b }'));
      await until(
        'the edit taken over',
        async () => (await supervisor.ok('exec', 'web', 'sh', '-c', 'echo $A')).trim() === 'b',
      );
      expect(await supervisor.ok('exec', 'web', 'cat', '/marker')).toBe('one');
      supervisor.drop('app.yaml', manifest('always'));
      await until(
        'the new image',
        async () => (await supervisor.cli('exec', 'web', 'cat', '/marker')).stdout === 'two',
      );
    });

    test('apply --refresh uses the current image of the tag, apply does not', async () => {
      await server.start();
      await server.fill('app:1', image('one'));
      await supervisor.start();
      const file = supervisor.file(
        'app.yaml',
        `containers:\n  web: { image: "${server.host}/app:1", command: ${FOREVER} }\n`,
      );
      await supervisor.ok('apply', '--wait=2m', '-f', file);
      await server.fill('app:1', image('two'));
      await supervisor.ok('apply', '--wait=2m', '-f', file);
      expect(await supervisor.ok('exec', 'web', 'cat', '/marker')).toBe('one');
      expect(await supervisor.ok('apply', '--dry-run', '--refresh', '-f', file)).toMatch(
        /load image.*refresh requested/,
      );
      await supervisor.ok('apply', '--wait=2m', '--refresh', '-f', file);
      expect(await supervisor.ok('exec', 'web', 'cat', '/marker')).toBe('two');
    });

    test('a pinned digest, a missing image and an unreachable registry have clear errors', async () => {
      await server.start();
      await server.fill('app:1', image('one'));
      const raw = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${server.host}/app:1`);
      await supervisor.start();
      supervisor.drop(
        'a.yaml',
        `containers:\n  pinned: { image: "${server.host}/app@${digestOf(raw)}", command: ${FOREVER} }\n`,
      );
      await supervisor.waitFor('pinned', 'ready', ({ ready }) => ready);
      supervisor.drop(
        'b.yaml',
        `containers:\n  absent: { image: "${server.host}/none:2" }\n  far: { image: "127.0.0.1:1/none:2" }\n`,
      );
      await supervisor.waitFor('absent', 'told', ({ message }) => /none:2: .* answers 404/.test(message));
      await supervisor.waitFor('far', 'told', ({ message }) => /127\.0\.0\.1:1 cannot be reached/.test(message));
      expect(await supervisor.container('pinned')).toMatchObject({ phase: 'Running' });
    });

    test('mirrors replace Docker Hub, a dead one is skipped, and --insecure-registry trusts a registry', async () => {
      const down = `http://127.0.0.1:${await freePort()}`;
      await server.start();
      await server.fill('library/app:1', image('from the mirror'));
      await supervisor.start('--registry-mirror', down, '--registry-mirror', `http://${server.host}`);
      await supervisor.ok('pull', 'app:1');
      supervisor.drop('hub.yaml', `containers: { web: { image: "app:1", command: ${FOREVER} } }\n`);
      await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
      expect(await supervisor.ok('exec', 'web', 'cat', '/marker')).toBe('from the mirror');

      // Where a certificate is wanted by default: on the address of the bridge.
      const made = makeCertificates(join(supervisor.base, 'certs'));
      const secured = new RegistryServer();
      try {
        await secured.start({ tls: { cert: made.cert, key: made.key }, address: `${supervisor.subnet}.1` });
        await secured.fill('app:1', image('without a known certificate'));
        const refused = await supervisor.cli('pull', `${secured.host}/app:1`);
        expect(refused.status).toBe(1);
        expect(refused.stderr).toMatch(/the certificate of .* is not trusted[\s\S]*--insecure-registry/);
        await supervisor.stop();
        await supervisor.start('--insecure-registry', `${supervisor.subnet}.0/24`);
        await supervisor.ok('pull', `${secured.host}/app:1`);
      } finally {
        await secured.stop();
      }
    });

    test('login, push, tags, search, history, rmi and logout work', async () => {
      await server.start({ basic: LOGIN });
      await supervisor.start();
      const layout = join(supervisor.base, 'docker');
      process.env.DOCKER_CONFIG = layout;
      try {
        const refused = await supervisor.cliWithInput('wrong', 'login', '-u', 'me', '--password-stdin', server.host);
        expect(refused.status).toBe(1);
        expect(refused.stderr).toMatch(/401/);
        expect(existsSync(join(layout, 'config.json'))).toBe(false);
        const taken = await supervisor.cliWithInput(
          `${LOGIN.password}\n`,
          'login',
          '-u',
          'me',
          '--password-stdin',
          server.host,
        );
        expect(taken).toMatchObject({ status: 0, stdout: 'Login Succeeded\n' });
        expect(statSync(join(layout, 'config.json')).mode & 0o777).toBe(0o600);
        await server.fill('from:1', image('one'), '--dest-creds=me:secret');
        await supervisor.ok('pull', `${server.host}/from:1`);
        await supervisor.ok('tag', `${server.host}/from:1`, `${server.host}/to:2`);
        await supervisor.ok('push', `${server.host}/to:2`);
        const config = await skopeo(
          'inspect',
          '--config',
          '--raw',
          '--tls-verify=false',
          '--creds=me:secret',
          `docker://${server.host}/to:2`,
        );
        expect(JSON.parse(config).config.Cmd).toEqual(['cat', '/marker']);
        expect(await supervisor.ok('tags', `${server.host}/to`)).toBe('2\n');
        expect(JSON.parse(await supervisor.ok('search', '-o', 'json', `${server.host}/o`))).toMatchObject([
          { name: 'from' },
          { name: 'to' },
        ]);
        const steps = JSON.parse(await supervisor.ok('image', 'history', '-o', 'json', `${server.host}/to:2`));
        expect(steps).toHaveLength(2);
        expect(await supervisor.ok('rmi', `${server.host}/from:1`)).toBe(`Untagged: ${server.host}/from:1\n`);
        expect(await supervisor.ok('rmi', `${server.host}/to:2`)).toMatch(
          /^Untagged: .*\nDeleted: sha256:[0-9a-f]{64}\n$/,
        );
        expect(readdirSync(join(supervisor.root, 'overlay')).filter((name) => /^[0-9a-f]{64}$/.test(name))).toEqual([]);
        await supervisor.ok('logout', server.host);
        expect(JSON.parse(readFileSync(join(layout, 'config.json'), 'utf8')).auths).toEqual({});
      } finally {
        delete process.env.DOCKER_CONFIG;
      }
    });
  },
);
