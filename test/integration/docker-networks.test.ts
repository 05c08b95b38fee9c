/** `docker network connect` and `disconnect`: running containers and stopped ones, and what dockerd refuses. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { ask, docker } from '../support/docker-client.ts';
import { app, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
/** Three bytes of the networks of this file, which nothing else uses. */
let subnet = '';

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
  await say('network', 'create', 'back');
  const inspected = JSON.parse(await say('network', 'inspect', 'back'));
  subnet = inspected[0].IPAM.Config[0].Subnet.replace(/\.0\/24$/, '');
  await say('network', 'rm', 'back');
  await say('network', 'create', '--subnet', `${subnet}.0/24`, 'back');
  await say('network', 'create', 'other');
}, 60_000);
afterAll(() => supervisor.destroy(), 60_000);
afterEach(async () => {
  const { stdout } = await docker(supervisor.socket, ['ps', '-aq']);
  const ids = stdout.split('\n').filter((id) => id !== '');
  if (ids.length > 0) await docker(supervisor.socket, ['rm', '-f', '-v', ...ids]);
});

async function say(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await docker(supervisor.socket, args);
  expect(status, `docker ${args.join(' ')}: ${stderr}`).toBe(0);
  return stdout.trim();
}

async function fails(...args: readonly string[]): Promise<string> {
  const { status, stderr } = await docker(supervisor.socket, args);
  expect(status, `docker ${args.join(' ')}`).not.toBe(0);
  return stderr.trim();
}

const PROGRAM = ['busybox', 'sleep', '1000000'];
const run = (name: string, ...options: readonly string[]): Promise<string> =>
  say('run', '-d', '--name', name, ...options, ...PROGRAM);
const create = (name: string, ...options: readonly string[]): Promise<string> =>
  say('create', '--name', name, ...options, ...PROGRAM);

/** Addresses of the interfaces that the container has. */
const inside = (name: string): Promise<string> => say('exec', name, 'ip', '-o', '-4', 'addr', 'show');
const lookUp = (name: string, host: string) =>
  docker(supervisor.socket, ['exec', name, 'busybox', 'nslookup', host]).then(({ stdout }) => stdout);

interface Endpoint {
  readonly IPAddress: string;
  readonly Aliases: readonly string[] | null;
  readonly Links: readonly string[] | null;
}

async function networksOf(name: string): Promise<Readonly<Record<string, Endpoint>>> {
  return JSON.parse(await say('inspect', '-f', '{{json .NetworkSettings.Networks}}', name));
}

async function answer(action: string, network: string, body: unknown): Promise<readonly [number, string]> {
  const { status, body: said } = await ask(supervisor.socket, 'POST', `/networks/${network}/${action}`, { body });
  return [status, said.length === 0 ? '' : JSON.parse(said.toString()).message];
}

describe('a container that runs', () => {
  test('joins a network with an address, names and a link of its own, and leaves it', async () => {
    await run('db', '--network', 'back');
    const id = await run('web');
    const pid = await say('inspect', '-f', '{{.State.Pid}}', 'web');
    await say('network', 'connect', '--ip', `${subnet}.77`, '--alias', 'shop', '--link', 'db:store', 'back', 'web');
    expect(await inside('web')).toContain(`inet ${subnet}.77/24`);
    const { back, bridge } = await networksOf('web');
    expect(back).toMatchObject({ IPAddress: `${subnet}.77`, Aliases: ['shop'], Links: ['db:store'] });
    expect(bridge?.IPAddress).not.toBe('');
    const { IPAddress = '' } = (await networksOf('db')).back ?? {};
    expect(await lookUp('web', 'store')).toContain(IPAddress);
    expect(await lookUp('db', 'shop')).toContain(`${subnet}.77`);
    expect(await say('exec', 'web', 'cat', '/etc/hosts')).toContain(`${IPAddress}\tstore`);
    expect(await say('network', 'inspect', '-f', '{{json .Containers}}', 'back')).toContain(id);

    await say('network', 'disconnect', '-f', 'back', 'web');
    expect(await inside('web')).not.toContain(subnet);
    expect(Object.keys(await networksOf('web'))).toEqual(['bridge']);
    expect(await lookUp('db', 'shop')).not.toContain(`${subnet}.77`);
    expect(await say('exec', 'web', 'cat', '/etc/hosts')).not.toContain('store');
    // It was not started again.
    expect(await say('inspect', '-f', '{{.State.Pid}}', 'web')).toBe(pid);
  });

  test('may be on no network, and takes its published ports along', async () => {
    await run('web', '-p', '127.0.0.1::80');
    expect(await say('port', 'web', '80')).toMatch(/^127\.0\.0\.1:\d+$/);
    await say('network', 'disconnect', 'bridge', 'web');
    expect(await networksOf('web')).toEqual({});
    expect(await inside('web')).not.toContain('eth');
    expect(await say('port', 'web')).toBe('');
    await say('network', 'connect', 'other', 'web');
    expect(await say('port', 'web', '80')).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(await say('inspect', '-f', '{{.HostConfig.NetworkMode}}', 'web')).toBe('bridge');
  });

  test('keeps its networks over a crash of the supervisor and a restart', async () => {
    await run('web');
    await say('network', 'connect', '--ip', `${subnet}.78`, 'back', 'web');
    await supervisor.crash();
    await supervisor.start();
    expect(await supervisor.ok('plan')).toContain('Nothing to do.');
    await say('restart', '-t', '0', 'web');
    expect(await inside('web')).toContain(`inet ${subnet}.78/24`);
    expect(Object.keys(await networksOf('web')).sort()).toEqual(['back', 'bridge']);
  });

  test('gets all of several networks that are asked for at once', async () => {
    await run('web');
    const names = ['n1', 'n2', 'n3', 'n4'];
    for (const name of names) await say('network', 'create', name);
    await Promise.all(names.map((name) => say('network', 'connect', name, 'web')));
    expect(Object.keys(await networksOf('web')).sort()).toEqual(['bridge', ...names]);
    expect((await inside('web')).match(/eth\d/g)).not.toBeNull();
    await say('rm', '-f', 'web');
    await say('network', 'rm', ...names);
  });
});

test('a container that does not run joins and leaves, and its start obeys', async () => {
  await create('web');
  await say('network', 'connect', '--ip', `${subnet}.79`, '--alias', 'shop', 'back', 'web');
  expect((await networksOf('web')).back).toMatchObject({ IPAddress: '', Aliases: ['shop'] });
  await say('network', 'disconnect', 'bridge', 'web');
  // As dockerd has it: a second time is no error before the start, and changes nothing.
  await say('network', 'connect', 'back', 'web');
  expect(await say('inspect', '-f', '{{.State.Status}}', 'web')).toBe('created');
  await say('start', 'web');
  expect(await inside('web')).toContain(`${subnet}.79/24`);
  expect(Object.keys(await networksOf('web'))).toEqual(['back']);
  await say('network', 'disconnect', 'back', 'web');
  await say('stop', '-t', '0', 'web');
  await say('start', 'web');
  expect(await networksOf('web')).toEqual({});
});

describe('dockerd 26.1 refuses in the same words', () => {
  const NOT_PRIVATE =
    'container cannot be connected to multiple networks with one of the networks in private (none) mode';
  const NOT_SHARED =
    'container sharing network namespace with another container or host cannot be connected to any other network';
  const NOT_HOST = 'container cannot be disconnected from host network or connected to host network';

  test('to connect', async () => {
    await run('web');
    await run('alone', '--network', 'none');
    await run('hosted', '--network', 'host');
    await run('beside', '--network', 'container:web');
    const to = (network: string, Container: string, EndpointConfig?: object) =>
      answer('connect', network, { Container, EndpointConfig });
    const at = (IPv4Address: string) => ({ IPAMConfig: { IPv4Address } });
    expect(await to('missing', 'web')).toEqual([404, 'network missing not found']);
    expect(await to('back', 'missing')).toEqual([404, 'No such container: missing']);
    expect(await answer('connect', 'back', {})).toEqual([400, 'invalid name or ID supplied: ""']);
    expect((await answer('connect', 'back', { Container: 5 }))[0]).toBe(400);
    expect(await to('host', 'web')).toEqual([400, NOT_HOST]);
    expect(await to('none', 'web')).toEqual([400, NOT_PRIVATE]);
    expect(await to('back', 'alone')).toEqual([400, NOT_PRIVATE]);
    expect(await to('back', 'hosted')).toEqual([400, NOT_SHARED]);
    expect(await to('back', 'beside')).toEqual([400, NOT_SHARED]);
    expect(await to('other', 'web', at('10.9.9.9'))).toEqual([
      400,
      'invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks with user configured subnets',
    ]);
    expect(await to('back', 'web', at('10.9.9.9'))).toEqual([
      400,
      'invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.9.9.9',
    ]);
    expect(await to('back', 'web', at('nothing'))).toEqual([
      400,
      'invalid endpoint settings:\n* invalid IPv4 address: nothing\n* no configured subnet or ip-range contain the IP address nothing',
    ]);
    expect(await to('back', 'web', { MacAddress: 'zz' })).toEqual([400, 'invalid MAC address zz']);
    await say('network', 'connect', '--ip', `${subnet}.90`, 'back', 'web');
    expect(await to('back', 'web')).toEqual([403, 'endpoint with name web already exists in network back']);
    await run('second');
    expect(await to('back', 'second', at(`${subnet}.90`))).toEqual([403, 'Address already in use']);
    expect(Object.keys(await networksOf('second'))).toEqual(['bridge']);
    expect(await supervisor.ok('plan')).toContain('Nothing to do.');
  });

  test('to disconnect', async () => {
    const id = await run('web');
    await run('hosted', '--network', 'host');
    const stopped = await create('stopped');
    const from = (network: string, Container: string, Force = false) =>
      answer('disconnect', network, { Container, Force });
    expect(await from('missing', 'web')).toEqual([404, 'network missing not found']);
    expect(await from('back', 'missing')).toEqual([404, 'No such container: missing']);
    expect(await from('back', 'missing', true)).toEqual([404, 'endpoint missing not found']);
    expect(await from('back', 'web')).toEqual([500, `container ${id} is not connected to network back`]);
    expect(await from('back', 'web', true)).toEqual([500, `container ${id} is not connected to network back`]);
    expect(await from('back', 'stopped')).toEqual([500, `container ${stopped} is not connected to the network back`]);
    expect(await from('host', 'hosted')).toEqual([400, NOT_HOST]);
  });
});

test('a container of a manifest is changed there: 409 names the file and the line', async () => {
  supervisor.drop('shop.yaml', app(`  web: { image: busybox, command: ${FOREVER} }\n`));
  await supervisor.waitFor('web', 'running', ({ pid }) => pid !== null);
  for (const action of ['connect', 'disconnect']) {
    const network = action === 'connect' ? 'back' : 'bridge';
    const [status, message] = await answer(action, network, { Container: 'shop-web' });
    expect(status).toBe(409);
    expect(message).toMatch(/shop\.yaml:4/);
  }
  rmSync(join(supervisor.manifests, 'shop.yaml'));
  await until('it is gone', async () => (await supervisor.container('web')) === undefined);
});

test('a network goes while only stopped containers are on it, and their start says so', async () => {
  await say('network', 'create', 'brief');
  await run('web', '--network', 'brief');
  expect(await fails('network', 'rm', 'brief')).toMatch(/network brief id [0-9a-f]{64} has active endpoints/);
  await say('stop', '-t', '0', 'web');
  await say('network', 'rm', 'brief');
  expect(await fails('start', 'web')).toContain('network brief not found');
  expect(await supervisor.ok('plan')).toContain('Nothing to do.');
  // It comes back under its name, or the container leaves what is gone.
  await say('network', 'create', 'brief');
  await say('start', 'web');
  await say('stop', '-t', '0', 'web');
  await say('network', 'prune', '-f');
  expect(await say('network', 'ls', '-q', '--filter', 'name=brief')).toBe('');
  await say('network', 'disconnect', 'brief', 'web');
  await say('start', 'web');
  expect(await networksOf('web')).toEqual({});
  await say('network', 'create', '--subnet', `${subnet}.0/24`, 'back');
  await say('network', 'create', 'other');
});

test('tsdocker network connect and disconnect do the same', async () => {
  await run('web');
  await supervisor.ok('network', 'connect', '--alias', 'shop', '--ip', `${subnet}.91`, 'back', 'web');
  expect(await inside('web')).toContain(`${subnet}.91/24`);
  await supervisor.ok('network', 'disconnect', 'back', 'web');
  expect(await inside('web')).not.toContain(subnet);
});
