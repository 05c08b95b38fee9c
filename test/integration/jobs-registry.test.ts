import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ImageFixture, tarOf } from '../support/images.ts';
import { app, FOREVER } from '../support/manifests.ts';
import { REGISTRY_INSTALLED, RegistryServer, SKOPEO_INSTALLED } from '../support/registry.ts';
import { type CliResult, TestSupervisor } from '../support/supervisor.ts';

const LOGIN = { username: 'me', password: 'hunter2' };
const IMAGE: ImageFixture = { layers: [tarOf({ path: 'marker', content: 'one' })], config: { Cmd: ['/marker'] } };
let supervisor: TestSupervisor;
let server: RegistryServer;

beforeEach(() => {
  server = new RegistryServer();
  supervisor = new TestSupervisor(['--log-level', 'debug']);
});
afterEach(async () => {
  await supervisor.destroy();
  await server.stop();
});

const job = (name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> =>
  supervisor.cli('job', name, ...args, ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]));

test.skipIf(!REGISTRY_INSTALLED || !SKOPEO_INSTALLED)(
  'images go in and out by name, with a login that is shown nowhere (needs docker-registry and skopeo)',
  async () => {
    await server.start({ basic: LOGIN });
    await server.fill('team/app:v1', IMAGE, '--dest-creds', `${LOGIN.username}:${LOGIN.password}`);
    await supervisor.start();
    const serveraddress = server.host;
    expect(await job('auth', [], { serveraddress, ...LOGIN })).toMatchObject({ status: 0, stderr: '' });
    expect((await job('auth', [], { serveraddress, ...LOGIN, password: 'hunter3' })).status).toBe(1);
    expect((await job('auth', [])).stderr).toContain('auth needs a registry and a login');
    const name = `${server.host}/team/app:v1`;
    const credentials = JSON.stringify({ type: 'password', ...LOGIN });
    const denied = await job('pull', [name]);
    expect(denied.status).toBe(1);
    expect(await job('pull', [name], { credentials })).toMatchObject({ status: 0, stderr: '' });
    const copy = `${server.host}/team/app:v2`;
    expect(await job('tag', [name, copy])).toMatchObject({ status: 0, stderr: '' });
    expect(await job('push', [copy], { credentials })).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse((await job('tags', [name], { credentials })).stdout)).toEqual(['v1', 'v2']);
    const found = await job('search', ['app'], { registry: server.host, credentials });
    expect(JSON.parse(found.stdout)).toMatchObject([{ name: 'team/app' }]);
    const events = await supervisor.ok('events');
    expect(events).toMatch(new RegExp(`asked +pull: ${name} .*asked for by root`));
    expect(events).toMatch(new RegExp(`asked +push: ${copy}`));
    expect(supervisor.log + events).not.toMatch(/hunter[23]/);
  },
);

test('a host shutdown and a reset by name stop and take away what there is', async () => {
  await supervisor.start();
  supervisor.drop('app.yaml', app(`  it: { image: busybox, command: ${FOREVER} }\n`));
  await supervisor.waitFor('it', 'running', ({ phase }) => phase === 'Running');
  const stopped = await job('host_shutdown', []);
  expect(JSON.parse(stopped.stdout)).toMatchObject({ stopped: 1 });
  expect(await supervisor.container('it')).toMatchObject({ phase: 'Exited' });
  await supervisor.stop();
  await supervisor.start();
  await supervisor.waitFor('it', 'running again', ({ phase }) => phase === 'Running');
  const unconfirmed = await job('reset', [], { volumes: '1' });
  expect(unconfirmed).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining('tsdocker system reset'),
  });
  expect(await supervisor.container('it')).toMatchObject({ phase: 'Running' });
  const reset = await job('reset', [], { volumes: '1', yes: '1' });
  expect(JSON.parse(reset.stdout)).toMatchObject({ stopped: 1, stays: [] });
  await supervisor.stop();
  await expect
    .poll(() => supervisor.hostState())
    .toEqual({
      mounts: [],
      links: [],
      tables: [],
      cgroups: [],
      processes: [],
    });
});
