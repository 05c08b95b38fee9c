/** What Docker's clients read of what manifests declare. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask, docker } from '../support/docker-client.ts';
import { shapeDifferences } from '../support/docker-shapes.ts';
import { FOREVER, shell } from '../support/manifests.ts';
import { DOCKER_INSTALLED, PrivateDocker } from '../support/private-docker.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { DockerSwagger, hasSwagger } from '../support/swagger.ts';
import { until } from '../support/wait.ts';

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
  // It is about ports of this host, one of which was picked here.
  const { stdout: place } = await docker(supervisor.socket, ['port', 'views-web', '80']);
  expect(await names(`publish=${place.trim().split(':').at(-1)}`)).toEqual(['views-web']);
  expect(await names('expose=80')).toEqual(['views-web']);
  expect(await names('health=healthy')).toEqual(['views-web']);
  expect(await names('exited=3')).toEqual(['views-ended']);
  expect(await names('status=running')).toEqual(['views-plain', 'views-web']);
  expect(await names('ancestor=views-busybox:1')).toEqual(['views-ended', 'views-plain', 'views-web']);
  expect(await get('/containers/json?filters={"before":["nope"]}')).toEqual({
    status: 404,
    value: { message: 'No such container: nope' },
  });
});

test('docker volume ls and inspect, with volumes without a name', async () => {
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

test('docker inspect of a declared container', async () => {
  const inspect = async (name: string, format: string) => JSON.parse(await client('inspect', name, '--format', format));
  expect(await inspect('views-web', '{{json .State}}')).toMatchObject({
    Status: 'running',
    Running: true,
    Pid: expect.any(Number),
    Health: { Status: 'healthy', FailingStreak: 0 },
    FinishedAt: '0001-01-01T00:00:00Z',
  });
  expect(await inspect('views-ended', '{{json .State}}')).toMatchObject({ Status: 'exited', Pid: 0, ExitCode: 3 });
  expect(await inspect('views-web', '{{json .HostConfig}}')).toMatchObject({
    Binds: ['views-data:/data', '/tmp:/host:ro'],
    NetworkMode: 'views-back',
    RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 },
    Memory: 64 * 1024 * 1024,
    MemorySwap: 128 * 1024 * 1024,
    NanoCpus: 500_000_000,
    CapAdd: ['NET_ADMIN'],
    Ulimits: [{ Name: 'nofile', Hard: 200, Soft: 100 }],
    Tmpfs: { '/t': 'size=1048576' },
    PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
  });
  const config = await inspect('views-web', '{{json .Config}}');
  expect(config).toMatchObject({
    Image: 'views-busybox:1',
    Labels: { x: 'y' },
    ExposedPorts: { '80/tcp': {}, '53/udp': {}, '99/tcp': {} },
    Healthcheck: { Test: ['CMD', '/bin/busybox', 'true'], Interval: 100_000_000 },
    Volumes: { '/scratch': {} },
  });
  expect(config.Env).toContain('A=b');
  const mounts = (await inspect('views-web', '{{json .Mounts}}')) as { Destination: string; Type: string }[];
  expect(mounts.map(({ Destination, Type }) => `${Type} ${Destination}`)).toEqual([
    'volume /data',
    'bind /host',
    'volume /scratch',
  ]);
  const networks = await inspect('views-web', '{{json .NetworkSettings.Networks}}');
  const { address } = await supervisor.waitFor('web', 'its address', (view) => view.address !== null);
  expect(networks['views-back']).toMatchObject({ IPAddress: address, IPPrefixLen: 24 });
  expect(networks['views-back'].DNSNames).toContain('views-web');
  expect((await inspect('views-web', '{{json .NetworkSettings.Ports}}'))['80/tcp']).toEqual([
    { HostIp: '127.0.0.1', HostPort: expect.stringMatching(/^\d+$/) },
  ]);
  expect(await inspect('views-ended', '{{json .NetworkSettings.Ports}}')).toEqual({});
  const sized = (await get('/containers/views-web/json?size=1')).value as Record<string, unknown>;
  expect(sized.SizeRootFs).toBeGreaterThan(100_000);
  expect((await get('/containers/nope/json')).value).toEqual({ message: 'No such container: nope' });
});

test('docker network ls and inspect', async () => {
  const networks = (await client('network', 'ls', '--format', '{{.Name}} {{.Driver}} {{.Scope}}')).split('\n').sort();
  expect(networks).toEqual(['bridge bridge local', 'host host local', 'none null local', 'views-back bridge local']);
  const [back] = JSON.parse(await client('network', 'inspect', 'views-back'));
  const id = await client('inspect', 'views-web', '--format', '{{.Id}}');
  expect(back).toMatchObject({ Labels: { tier: 'back' }, Internal: false, Scope: 'local' });
  expect(Object.keys(back.Containers)).toEqual([id]);
  expect(back.Containers[id]).toMatchObject({ Name: 'views-web', IPv4Address: expect.stringMatching(/\/24$/) });
  expect(back.IPAM.Config[0].Subnet).toMatch(/\.0\/24$/);
  const used = await client('inspect', 'views-web', '--format', '{{json .NetworkSettings.Networks}}');
  expect(JSON.parse(used)['views-back'].NetworkID).toBe(back.Id);
  expect(await client('network', 'inspect', back.Id.slice(0, 12), '--format', '{{.Name}}')).toBe('views-back');
  expect(await client('network', 'ls', '-q', '--no-trunc', '--filter', 'type=custom')).toBe(back.Id);
  expect(await client('network', 'ls', '--filter', 'label=tier=back', '--format', '{{.Name}}')).toBe('views-back');
  const bridge = JSON.parse(await client('network', 'inspect', 'bridge', '--format', '{{json .Options}}'));
  expect(bridge).toMatchObject({ 'com.docker.network.bridge.name': supervisor.bridge });
  expect((await get('/networks/nope')).value).toEqual({ message: 'network nope not found' });
  const old = (await get('/v1.27/networks')).value as { Name: string; Containers: object }[];
  expect(Object.keys(old.find(({ Name }) => Name === 'views-back')?.Containers ?? {})).toEqual([id]);
});

test('docker images, history and system df', async () => {
  expect(await client('images', '--format', '{{.Repository}}:{{.Tag}}', 'views-*')).toBe('views-busybox:1');
  expect(await client('images', '-q', '--filter', 'dangling=true')).toBe('');
  const image = JSON.parse(await client('image', 'inspect', 'views-busybox:1', '--format', '{{json .}}'));
  expect(image).toMatchObject({
    RepoTags: ['views-busybox:1', 'views/busybox:latest'],
    RootFS: { Type: 'layers' },
    Os: 'linux',
  });
  expect(new Set((await client('images', '-q', '--no-trunc')).split('\n'))).toEqual(new Set([image.Id]));
  expect(await client('history', '-q', '--no-trunc', 'views-busybox:1')).toBe(image.Id);
  const usage = await client('system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}}');
  expect(usage.split('\n')).toEqual(['Images 1 1', 'Containers 3 2', 'Local Volumes 2 2', 'Build Cache 0 0']);
  expect((await get('/system/df?type=volume')).value).toMatchObject({ Images: null, Containers: null });
  expect((await get('/system/df?type=x')).value).toEqual({ message: 'unknown object type: x' });
  expect((await get('/images/nope/json')).value).toEqual({ message: 'No such image: nope:latest' });
});

test('answers have the shape of the version that a client speaks', async () => {
  const at = async (minor: number, path: string) => (await get(`/v1.${minor}${path}`)).value as Record<string, never>;
  const image = '/images/views-busybox:1/json';
  expect(Object.keys(await at(43, image))).toContain('VirtualSize');
  expect(Object.keys(await at(44, image))).not.toContain('VirtualSize');
  expect(Object.keys(await at(44, image))).toContain('ContainerConfig');
  expect(Object.keys(await at(51, image))).not.toContain('ContainerConfig');
  expect(Object.keys((await at(49, image)).Config ?? {})).toContain('Hostname');
  expect(Object.keys((await at(50, image)).Config ?? {})).not.toContain('Hostname');
  expect(Object.keys(await at(47, '/networks/bridge'))).not.toContain('EnableIPv4');
  expect(Object.keys(await at(48, '/networks/bridge'))).toContain('EnableIPv4');
  const endpoint = async (minor: number) =>
    (await get(`/v1.${minor}/containers/views-web/json`)).value as {
      Id: string;
      NetworkSettings: { Networks: Record<string, { GwPriority?: number; Aliases: string[] | null }> };
    };
  const [old, young] = [await endpoint(44), await endpoint(51)];
  expect(old.NetworkSettings.Networks['views-back']?.Aliases).toContain(old.Id.slice(0, 12));
  expect(old.NetworkSettings.Networks['views-back']).not.toHaveProperty('GwPriority');
  expect(young.NetworkSettings.Networks['views-back']).toMatchObject({ Aliases: null, GwPriority: 0 });
});

const VERSIONS = ['1.40', '1.44', '1.51'];

test.runIf(VERSIONS.some(hasSwagger))("answers are as Docker's description has them", async () => {
  const found: string[] = [];
  const web = encodeURIComponent('views-web');
  const asked = [
    ['/containers/json', '/containers/json?all=1&size=1'],
    ['/containers/{id}/json', `/containers/${web}/json?size=1`],
    ['/containers/{id}/json', '/containers/views-ended/json'],
    ['/images/json', '/images/json'],
    ['/images/{name}/json', '/images/views-busybox:1/json'],
    ['/images/{name}/history', '/images/views-busybox:1/history'],
    ['/networks', '/networks'],
    ['/networks/{id}', '/networks/views-back'],
    ['/volumes', '/volumes'],
    ['/volumes/{name}', '/volumes/views-data'],
    ['/system/df', '/system/df'],
  ] as const;
  for (const version of VERSIONS.filter(hasSwagger)) {
    const swagger = new DockerSwagger(version);
    for (const [path, url] of asked) {
      const { status, value } = await get(`/v${version}${url}`);
      found.push(...swagger.problems('get', path, status, value).map((problem) => `${version} ${path} ${problem}`));
    }
  }
  // dockerd has them as well, in every version.
  const asDockerd = /\.(?:DNSNames|CgroupnsMode|StartInterval|MemorySwappiness)|ConfigFrom|ConfigOnly/;
  expect(found.filter((problem) => !asDockerd.test(problem))).toEqual([]);
});

/** What dockerd has in another form than these answers, with the reason. */
const KNOWN_DIFFERENCES: readonly string[] = [
  // The layers of an image are not mounted anywhere, and have no directory that is theirs as a whole.
  '/images/views-busybox:1/json GraphDriver.Data: object, not null',
  // Checks of dockerd are programs of clients while they run.
  'ExecIDs: array, not null',
  // Clients go through the list without a look; dockerd gives an empty one to clients from 1.43 on.
  'RepoDigests: null, not array',
];

describe.runIf(DOCKER_INSTALLED)('beside dockerd', () => {
  let dockerd: PrivateDocker;

  beforeAll(async () => {
    dockerd = await new PrivateDocker([]).start();
    const archive = execFileSync('tar', ['-C', '/', '-c', 'bin/busybox'], { maxBuffer: 2 ** 26 });
    dockerd.runWithInput(archive, 'import', '--change', 'ENV PATH=/bin', '-', 'views-busybox:1');
    dockerd.run('network', 'create', '--label', 'tier=back', 'views-back');
    dockerd.run('volume', 'create', '--label', 'kind=data', 'views-data');
    const ports = ['-p', '127.0.0.1::80', '-p', '127.0.0.1::53/udp', '--expose', '99'];
    const volumes = ['-v', 'views-data:/data', '-v', '/scratch', '-v', '/tmp:/host:ro', '--tmpfs', '/t:size=1m'];
    const limits = ['-m', '64m', '--cpus', '0.5', '--ulimit', 'nofile=100:200', '--cap-add', 'NET_ADMIN'];
    const health = ['--health-cmd', '/bin/busybox true', '--health-interval', '1s'];
    const others = ['--label', 'x=y', '-e', 'A=b', '--restart', 'on-failure:3', '--network', 'views-back'];
    const command = ['/bin/busybox', 'sleep', '1000000'];
    const run = (name: string, ...options: string[]) =>
      dockerd.run('run', '-d', '--name', name, ...options, 'views-busybox:1', ...command);
    run('views-web', ...ports, ...volumes, ...limits, ...health, ...others);
    run('views-plain');
    dockerd.run('run', '-d', '--name', 'views-ended', 'views-busybox:1', '/bin/busybox', 'false');
    await until(
      'its first check',
      () => dockerd.run('inspect', 'views-web', '--format', '{{len .State.Health.Log}}').trim() !== '0',
    );
  });

  afterAll(async () => {
    for (const name of ['views-web', 'views-plain', 'views-ended']) dockerd.run('rm', '-fv', name);
    await dockerd.stop();
  });

  const PATHS = [
    '/containers/json?all=1&size=1',
    '/containers/views-web/json?size=1',
    '/containers/views-plain/json',
    '/containers/views-ended/json',
    '/images/json',
    '/images/views-busybox:1/json',
    '/images/views-busybox:1/history',
    '/networks',
    '/networks/views-back',
    '/networks/bridge',
    '/networks/host',
    '/networks/none',
    '/volumes',
    '/volumes/views-data',
    '/system/df',
  ];

  test('every member that dockerd has is there, in the same type', async () => {
    const found = new Set<string>();
    for (const version of ['1.24', '1.40', '1.44', '1.45']) {
      for (const path of PATHS) {
        const url = `/v${version}${path}`;
        const theirs = JSON.parse((await ask(dockerd.socket, 'GET', url)).body.toString());
        const { value } = await get(url);
        const route = path.replace(/\?.*$/, '');
        for (const one of shapeDifferences(theirs, value as never)) found.add(`${version} ${route} ${one}`);
      }
    }
    expect([...found].filter((one) => !KNOWN_DIFFERENCES.some((known) => one.includes(known)))).toEqual([]);
  });

  test('a container that a client makes is given back as dockerd gives it back', async () => {
    const asked = [
      ...['--name', 'asked', '-e', 'A=b', '--label', 'x=y', '-v', '/tmp:/host:ro', '-v', '/anonymous', '-m', '64m'],
      ...['--restart', 'on-failure:3', '--cap-add', 'NET_ADMIN', '--dns', '9.9.9.9', '--ulimit', 'nofile=100:200'],
      ...['-p', '127.0.0.1::80', '--tmpfs', '/t:size=1m', '--workdir', '/bin', '--stop-signal', 'SIGQUIT'],
      ...['--health-cmd', '/bin/busybox true', '--health-interval', '5s', '--hostname', 'asked', '-t', '-i'],
      ...['views-busybox:1', '/bin/busybox', 'sleep', '5'],
    ];
    dockerd.run('create', ...asked);
    await client('create', ...asked);
    const theirs = JSON.parse(dockerd.run('inspect', 'asked'))[0];
    const [ours] = JSON.parse(await client('inspect', 'asked'));
    dockerd.run('rm', '-fv', 'asked');
    await client('rm', '-fv', 'asked');
    // The cgroup namespace is private in both versions of control groups; PATH is that of the image.
    const { CgroupnsMode: _theirs, ...hostConfig } = theirs.HostConfig;
    expect(ours.HostConfig).toMatchObject(hostConfig);
    const { Env, ...config } = theirs.Config;
    expect(ours.Config).toEqual({ ...config, Env: expect.arrayContaining([Env[0]]) });
    expect([ours.Path, ours.Args, ours.Name]).toEqual([theirs.Path, theirs.Args, theirs.Name]);
    expect(ours.State).toMatchObject({ Status: 'created', Running: false, Pid: 0, StartedAt: theirs.State.StartedAt });
    expect(ours.NetworkSettings.Ports).toEqual(theirs.NetworkSettings.Ports);
    expect(Object.keys(ours.NetworkSettings.Networks)).toEqual(['bridge']);
  });
});
