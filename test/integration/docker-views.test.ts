/** What Docker's clients read of what manifests declare. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, docker } from '../support/docker-client.ts';
import { FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;

const MANIFEST = `
images:
  busybox: { host: [busybox] }
networks:
  back: { labels: { tier: back } }
volumes:
  data: { labels: { kind: data } }
containers:
  web:
    image: busybox
    command: ${FOREVER}
    network: back
    ports: ["127.0.0.1::80", "127.0.0.1::53/udp"]
    expose: [99]
    volumes: [data:/data, /scratch, { type: tmpfs, target: /t, size: 1MiB }, /tmp:/host:ro]
    labels: { x: y }
    env: { A: b }
    restart: on-failure:3
    resources: { memory: 64MiB, cpus: 0.5, ulimits: { nofile: "100:200" } }
    capabilities: { add: [NET_ADMIN] }
    health: { exec: [/bin/busybox, "true"], interval: 100ms }
  plain:
    image: busybox
    command: ${FOREVER}
  ended:
    image: busybox
    command: ${shell('exit 3 "a b"')}
`;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  supervisor.drop('views.yaml', MANIFEST);
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  await supervisor.waitFor('plain', 'ready', ({ ready }) => ready);
  await supervisor.waitFor('ended', 'ended', ({ exitCode }) => exitCode === 3);
  const { imageId } = await supervisor.waitFor('plain', 'its image', (view) => view.imageId !== null);
  await supervisor.ok('tag', imageId ?? '', 'views-busybox:1');
});

afterAll(async () => {
  await supervisor.destroy();
});

async function client(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await docker(supervisor.socket, args);
  if (status !== 0) throw new Error(stderr);
  return stdout.trim();
}

const get = async (path: string): Promise<{ readonly status: number; readonly value: unknown }> => {
  const { status, body } = await ask(supervisor.socket, 'GET', path);
  return { status, value: JSON.parse(body.toString()) };
};

const FORMAT = ['--format', '{{.Names}} {{.Image}} {{.State}} {{.Networks}}'];

test('docker ps lists what a manifest declares', async () => {
  expect((await client('ps', ...FORMAT)).split('\n').sort()).toEqual([
    'views-plain views-busybox:1 running bridge',
    'views-web views-busybox:1 running views-back',
  ]);
  const all = (await client('ps', '-a', '--format', '{{.Names}} {{.Status}}')).split('\n').sort();
  expect(all).toEqual([
    expect.stringMatching(/^views-ended Exited \(3\) .+ ago$/),
    expect.stringMatching(/^views-plain Up /),
    expect.stringMatching(/^views-web Up .+ \(healthy\)$/),
  ]);
  const ports = await client('ps', '--filter', 'name=views-web', '--format', '{{.Ports}}');
  expect(ports).toMatch(/127\.0\.0\.1:\d+->80\/tcp/);
  expect(ports).toMatch(/99\/tcp/);
  expect(await client('ps', '-s', '--filter', 'name=plain', '--format', '{{.Size}}')).toMatch(/B \(virtual .*B\)$/);
});

test('docker ps filters', async () => {
  const names = async (...filters: string[]) =>
    (await client('ps', '-a', '--format', '{{.Names}}', ...filters.flatMap((filter) => ['--filter', filter])))
      .split('\n')
      .filter((name) => name !== '')
      .sort();
  expect(await names('label=x=y')).toEqual(['views-web']);
  expect(await names('network=views-back')).toEqual(['views-web']);
  expect(await names('volume=views-data')).toEqual(['views-web']);
  expect(await names('publish=80')).toEqual(['views-web']);
  expect(await names('health=healthy')).toEqual(['views-web']);
  expect(await names('exited=3')).toEqual(['views-ended']);
  expect(await names('status=running')).toEqual(['views-plain', 'views-web']);
  expect(await names('ancestor=views-busybox:1')).toEqual(['views-ended', 'views-plain', 'views-web']);
  expect(await get('/containers/json?filters={"before":["nope"]}')).toEqual({
    status: 404,
    value: { message: 'No such container: nope' },
  });
});

test('docker volume ls and inspect, with volumes that nobody named', async () => {
  const all = (await client('volume', 'ls', '--format', '{{.Name}} {{.Driver}}')).split('\n').sort();
  expect(all).toEqual([expect.stringMatching(/^[0-9a-f]{64} local$/), 'views-data local']);
  const [anonymous = ''] = all[0]?.split(' ') ?? [];
  const labels = await client('volume', 'inspect', anonymous, '--format', '{{json .Labels}}');
  expect(JSON.parse(labels)).toEqual({ 'com.docker.volume.anonymous': '' });
  expect(await client('volume', 'ls', '-q', '--filter', 'label=kind=data')).toBe('views-data');
  expect(await client('volume', 'ls', '-q', '--filter', 'name=^views-')).toBe('views-data');
  expect(await client('volume', 'ls', '-q', '--filter', 'dangling=true')).toBe('');
  expect((await get('/volumes/views-data')).value).toMatchObject({
    CreatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    Driver: 'local',
    Labels: { kind: 'data' },
    Options: null,
    Scope: 'local',
  });
  expect(await get('/volumes/nope')).toEqual({ status: 404, value: { message: 'get nope: no such volume' } });
});
