/** Bodies of POST /containers/create as Docker's client sends them, and the specification that each of them means. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { specOfCreate } from '../../../src/docker/create/container-spec.ts';
import { DockerError } from '../../../src/docker/wire/docker-error.ts';
import { containerSchema } from '../../../src/model/kinds/container.ts';
import { createContext } from '../../support/docker-create.ts';
import { DOCKER_RUN, dockerRun } from '../../support/docker-run-body.ts';

/** What is written besides what every container of the image has. */
function writtenOf(body: unknown, changes: Parameters<typeof createContext>[0] = {}): object {
  const { written, spec } = specOfCreate(body, createContext({ config: { Labels: null }, ...changes }));
  expect(containerSchema.parse(written)).toEqual(spec);
  const { image: _image, ...rest } = written;
  return rest;
}

const ON_BRIDGE = { network: 'bridge' };

test('a plain container has nothing but its image and the default bridge', () => {
  const found = specOfCreate(DOCKER_RUN, createContext({ config: { Labels: null } }));
  expect(found.written).toEqual({ image: 'f'.repeat(64), network: 'bridge' });
  expect(found.references).toMatchObject({ networks: ['network//bridge'], networkContainer: null, links: [] });
  expect(found).toMatchObject({ autoRemove: false, warnings: [], newVolumes: [] });
});

test('keys in any case, null for absent, unknown keys', () => {
  const body = {
    image: 'busybox',
    CMD: ['a'],
    hostconfig: { networkmode: null, Memory: null, Whatever: 1 },
    labels: null,
    X: 1,
  };
  expect(writtenOf(body)).toEqual({ ...ON_BRIDGE, command: ['a'] });
});

const HEALTH = { Test: ['CMD-SHELL', 'true'], Interval: 2e9, Retries: 5 };
const PROBE = { interval: '30000ms', timeout: '30000ms', retries: 3, startPeriod: '30000ms', startInterval: '5000ms' };

describe('the program', () => {
  test.each<[string, object, object, object]>([
    ['a text as a command', { Cmd: 'a b' }, {}, { command: ['a b'] }],
    [
      'an entrypoint',
      { Entrypoint: ['/bin/sh'], Cmd: ['-c', 'ls'] },
      {},
      { entrypoint: ['/bin/sh'], command: ['-c', 'ls'] },
    ],
    ['an entrypoint alone drops the command of the image', { Entrypoint: ['/x'] }, {}, { entrypoint: ['/x'] }],
    [
      'an empty entrypoint leaves the command of the image',
      { Entrypoint: [] },
      { Entrypoint: ['/e'] },
      { entrypoint: [], command: ['sh'] },
    ],
    [
      'an entrypoint that is taken away',
      { Entrypoint: [''], Cmd: ['x'] },
      { Entrypoint: ['/e'] },
      { entrypoint: [], command: ['x'] },
    ],
    ['variables', { Env: ['B=x=y', 'A=1', 'A=2', 'EMPTY=', 'UNSET'] }, {}, { env: { B: 'x=y', A: '2', EMPTY: '' } }],
    [
      'labels of the image and of the body',
      { Labels: { b: '2' } },
      { Labels: { a: '1', b: '1' } },
      { labels: { a: '1', b: '2' } },
    ],
    [
      'names',
      { Hostname: 'box', Domainname: 'example.com', User: '1:2', WorkingDir: '/w' },
      {},
      { hostname: 'box', domainname: 'example.com', user: '1:2', workingDir: '/w' },
    ],
    ['a terminal', { Tty: true, OpenStdin: true, StdinOnce: true }, {}, { tty: true, stdin: true }],
    ['the signal of the image', {}, { StopSignal: 'SIGQUIT' }, { stopSignal: 'SIGQUIT' }],
    [
      'a signal by number, and a time',
      { StopSignal: '3', StopTimeout: 0 },
      {},
      { stopSignal: 'SIGQUIT', stopTimeout: '0s' },
    ],
    ['no end of waiting', { StopTimeout: -1 }, {}, { stopTimeout: '2147483647ms' }],
    [
      'a health check',
      { Healthcheck: HEALTH },
      {},
      {
        health: {
          readiness: {
            ...PROBE,
            exec: ['/bin/sh', '-c', 'true'],
            interval: '2000ms',
            retries: 5,
            startPeriod: '2000ms',
          },
        },
      },
    ],
    [
      'the health check of the image',
      {},
      { Healthcheck: { Test: ['CMD', 'ok'] } },
      { health: { readiness: { ...PROBE, exec: ['ok'] } } },
    ],
    [
      'a part of the health check of the image',
      { Healthcheck: { Timeout: 1e9 } },
      { Healthcheck: HEALTH },
      {
        health: {
          readiness: {
            ...PROBE,
            exec: ['/bin/sh', '-c', 'true'],
            interval: '2000ms',
            timeout: '1000ms',
            retries: 5,
            startPeriod: '2000ms',
          },
        },
      },
    ],
    ['no health check', { Healthcheck: { Test: ['NONE'] } }, { Healthcheck: HEALTH }, { health: 'none' }],
  ])('%s', (_title, body, config, expected) => {
    const found = writtenOf(dockerRun(body), { config: { Labels: null, ...config } });
    expect(found).toEqual({ ...ON_BRIDGE, ...expected });
  });
});

test('a variable of the image cannot be taken away', () => {
  expect(() => writtenOf(dockerRun({ Env: ['FROM_IMAGE'] }))).toThrow(/^FROM_IMAGE: the image sets this variable/);
});

const PROFILE = JSON.stringify({
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO' }],
});

test.each<[string, object, object]>([
  [
    'memory',
    { Memory: 64 * 2 ** 20, MemorySwap: 128 * 2 ** 20 },
    { resources: { memory: 67_108_864, memorySwap: 134_217_728 } },
  ],
  [
    'memory and any swap',
    { Memory: 64 * 2 ** 20, MemorySwap: -1 },
    { resources: { memory: 67_108_864, memorySwap: 'unlimited' } },
  ],
  [
    'CPUs',
    { NanoCpus: 5e8, CpuShares: 1, CpusetCpus: '0-1' },
    { resources: { cpus: 0.5, cpuShares: 2, cpuset: '0-1' } },
  ],
  ['a quota', { CpuQuota: 50_000, CpuPeriod: 25_000 }, { resources: { cpus: 2 } }],
  ['a quota of the usual period', { CpuQuota: 50_000 }, { resources: { cpus: 0.5 } }],
  ['processes', { PidsLimit: 50 }, { resources: { pids: 50 } }],
  ['processes without a limit', { PidsLimit: -1 }, {}],
  ['a limit as JavaScript prints it', { PidsLimit: 18_446_744_073_709_552_000 }, {}],
  [
    'ulimits',
    {
      Ulimits: [
        { Name: 'nofile', Soft: 10, Hard: 20 },
        { Name: 'core', Soft: -1, Hard: -1 },
      ],
    },
    { resources: { ulimits: { nofile: '10:20', core: '-1:-1' } } },
  ],
  [
    'restarts',
    { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 } },
    { restart: { policy: 'on-failure', max: 3, backoff: 'docker' } },
  ],
  [
    'a policy',
    { RestartPolicy: { Name: 'unless-stopped' } },
    { restart: { policy: 'unless-stopped', backoff: 'docker' } },
  ],
  [
    'capabilities',
    { CapAdd: ['net_admin'], CapDrop: ['ALL', 'CAP_NET_ADMIN'] },
    { capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } },
  ],
  [
    'all but one capability',
    { CapAdd: ['ALL'], CapDrop: ['NET_RAW'] },
    { capabilities: { add: ['ALL'], drop: ['NET_RAW'] } },
  ],
  [
    'security',
    { SecurityOpt: ['no-new-privileges', 'seccomp=unconfined', 'apparmor=unconfined', 'label:disable'] },
    { noNewPrivileges: true, seccomp: 'unconfined' },
  ],
  [
    'rights',
    { Privileged: true, ReadonlyRootfs: true, MaskedPaths: [], ReadonlyPaths: [] },
    { privileged: true, readOnly: true },
  ],
  [
    'hidden paths as Docker sends them back',
    { MaskedPaths: ['/proc/kcore', '/sys/firmware'], ReadonlyPaths: ['/proc/bus'] },
    {},
  ],
  ['namespaces of its own', { IpcMode: 'private', CgroupnsMode: 'private', UsernsMode: 'host' }, {}],
  [
    'namespaces of the host, for which the size of its own memory means nothing',
    { IpcMode: 'host', PidMode: 'host', UTSMode: 'host', CgroupnsMode: 'host', ShmSize: 4096, Init: true },
    { ipc: 'host', pid: 'host', uts: 'host', cgroupns: 'host' },
  ],
  ['memory that others may share', { IpcMode: 'shareable', ShmSize: 4096 }, { ipc: 'shareable', shmSize: 4096 }],
  [
    'binds that propagate',
    {
      Binds: ['/tmp:/a:rshared', '/tmp:/b:ro,slave', '/tmp:/c:rprivate'],
      Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/d', BindOptions: { Propagation: 'rslave' } }],
    },
    {
      volumes: [
        { source: '/tmp', target: '/a', create: true, propagation: 'rshared' },
        { source: '/tmp', target: '/b', readOnly: true, watch: false, create: true, propagation: 'slave' },
        { source: '/tmp', target: '/c', create: true },
        { source: '/tmp', target: '/d', propagation: 'rslave' },
      ],
    },
  ],
  ['labels and profiles that nothing enforces', { SecurityOpt: ['label=disable', 'apparmor=unconfined'] }, {}],
  [
    'devices',
    {
      Devices: [
        { PathOnHost: '/dev/null', PathInContainer: '/dev/x', CgroupPermissions: 'r' },
        { PathOnHost: '/dev/fuse' },
      ],
    },
    { devices: ['/dev/null:/dev/x:r', '/dev/fuse:/dev/fuse:rwm'] },
  ],
  ['settings of the kernel', { Sysctls: { 'net.core.somaxconn': '5' } }, { sysctls: { 'net.core.somaxconn': '5' } }],
  ['an init', { Init: true }, { init: true }],
  ['shared memory', { ShmSize: 2 ** 20 }, { shmSize: 1_048_576 }],
  ['a score', { OomScoreAdj: 5 }, { oomScoreAdj: 5 }],
  ['groups', { GroupAdd: ['audio', '5'] }, { groups: ['audio', '5'] }],
  ['a seccomp profile', { SecurityOpt: [`seccomp=${PROFILE}`] }, { seccomp: PROFILE }],
  [
    'a log',
    { LogConfig: { Type: 'json-file', Config: { 'max-size': '1m', 'max-file': '3' } } },
    { log: { maxSize: 1_048_576, maxFiles: 3 } },
  ],
  [
    'a journal',
    { LogConfig: { Type: 'journald', Config: { tag: 'web' } } },
    { log: { driver: 'journald', tag: 'web' } },
  ],
])('%s', (_title, HostConfig, expected) => {
  expect(writtenOf(dockerRun({}, HostConfig))).toEqual({ ...ON_BRIDGE, ...expected });
});

test('what has no effect is said', () => {
  const HostConfig = {
    BlkioWeight: 100,
    MemoryReservation: 2 ** 24,
    OomKillDisable: true,
    MemorySwappiness: 1,
    CpusetMems: '0',
  };
  const { warnings } = specOfCreate(dockerRun({}, HostConfig), createContext());
  expect(warnings).toEqual([
    'Limits of block I/O are not supported. They are discarded.',
    'MemoryReservation is not supported. It is discarded.',
    'MemorySwappiness is not supported. It is discarded.',
    'OomKillDisable is not supported. It is discarded.',
    'CpusetMems is not supported. It is discarded.',
  ]);
});

describe('mounts', () => {
  test('binds, volumes, memory and volumes of others', () => {
    const HostConfig = {
      Binds: [
        'data:/data',
        '/srv:/srv:ro',
        '/new//dir/:/new',
        '/run/x.sock:/x.sock',
        'blog-data:/blog:rw,z',
        '/anon-bind',
      ],
      Mounts: [
        { Type: 'bind', Source: '/tmp', Target: '/m', ReadOnly: true },
        { Type: 'volume', Source: 'vv', Target: '/vv' },
        { Type: 'volume', Source: 'labelled', Target: '/l', VolumeOptions: { Labels: { a: 'b' }, DriverConfig: {} } },
        { Type: 'volume', Target: '/none' },
        { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 65_536, Mode: 0o1777 } },
      ],
      Tmpfs: { '/run': 'rw,noexec,nosuid,size=64k' },
      VolumesFrom: ['cc:ro', 'blog-db'],
    };
    const body = dockerRun({ Volumes: { '/anon': {}, '/data': {}, '/taken': {} } }, HostConfig);
    const found = specOfCreate(body, createContext());
    expect(found.written.volumes).toEqual([
      { source: '@docker/data', target: '/data' },
      { source: '/srv', target: '/srv', readOnly: true, watch: false, create: true },
      { source: '/new/dir', target: '/new', create: true },
      { source: '/run/x.sock', target: '/x.sock' },
      { source: 'blog/data', target: '/blog' },
      { target: '/anon-bind' },
      { source: '/tmp', target: '/m', readOnly: true, watch: false },
      { source: '@docker/vv', target: '/vv' },
      { source: '@docker/labelled', target: '/l' },
      { target: '/none' },
      { type: 'tmpfs', target: '/t', size: 65_536, mode: '1777' },
      { type: 'tmpfs', target: '/run', size: 65_536 },
      { target: '/anon' },
    ]);
    expect(found.written.volumesFrom).toEqual(['@docker/cc:ro', 'blog/db:rw']);
    expect(found.references).toMatchObject({
      volumes: {
        '/data': 'volume/@docker/data',
        '/blog': 'volume/blog/data',
        '/vv': 'volume/@docker/vv',
        '/l': 'volume/@docker/labelled',
      },
      volumesFrom: ['container/@docker/cc', 'container/blog/db'],
    });
    expect(found.newVolumes).toEqual([
      { key: 'volume/@docker/data', name: 'data', labels: {} },
      { key: 'volume/@docker/labelled', name: 'labelled', labels: { a: 'b' } },
    ]);
  });

  test('how memory is mounted, and a volume that starts empty', () => {
    const HostConfig = {
      Binds: ['vv:/v:nocopy'],
      Mounts: [
        { Type: 'volume', Source: 'vw', Target: '/w', VolumeOptions: { NoCopy: true } },
        { Type: 'tmpfs', Target: '/t', TmpfsOptions: { Mode: 0o750, Options: [['exec'], ['uid', '5']] } },
      ],
      Tmpfs: { '/run': 'rw,exec,mode=755,gid=6', '/plain': '' },
    };
    const { spec } = specOfCreate(dockerRun({}, HostConfig), createContext());
    expect(spec.volumes).toMatchObject([
      { type: 'volume', target: '/v', copy: false },
      { type: 'volume', target: '/w', copy: false },
      { type: 'tmpfs', target: '/t', tmpfs: { mode: 0o750, owner: { uid: 5, gid: 0 }, exec: true } },
      { type: 'tmpfs', target: '/run', tmpfs: { mode: 0o755, owner: { uid: 0, gid: 6 }, exec: true } },
      { type: 'tmpfs', target: '/plain' },
    ]);
    expect(spec.volumes[4]).not.toHaveProperty('tmpfs');
  });

  test('names that only Docker has', () => {
    const { spec } = specOfCreate(dockerRun({}, { Binds: ['My_Data.v1:/data'] }), createContext());
    expect(spec.volumes).toMatchObject([{ type: 'volume', source: '@docker/My_Data.v1', target: '/data' }]);
  });
});

describe('ports', () => {
  test('published and exposed ones', () => {
    const PortBindings = {
      '80/tcp': [
        { HostIp: '', HostPort: '8080' },
        { HostIp: '::1', HostPort: '0' },
      ],
      '53/udp': [{ HostIp: '127.0.0.1', HostPort: '' }],
      '90/tcp': [{ HostPort: '8000-8002' }],
      '91/tcp': null,
      '92': [],
    };
    expect(writtenOf(dockerRun({ ExposedPorts: { '80/tcp': {}, '70-71/udp': {} } }, { PortBindings }))).toEqual({
      ...ON_BRIDGE,
      // Another container publishes 8000.
      ports: ['8080:80/tcp', '[::1]::80/tcp', '127.0.0.1::53/udp', '8001:90/tcp'],
      expose: ['80/tcp', '70/udp', '71/udp'],
    });
  });

  test('all that are exposed, by the image too', () => {
    const HostConfig = { PublishAllPorts: true, PortBindings: { '80/tcp': [{ HostPort: '8080' }] } };
    expect(writtenOf(dockerRun({ ExposedPorts: { '80/tcp': {}, '82/udp': {} } }, HostConfig))).toMatchObject({
      ports: ['8080:80/tcp', '82/udp', '81/tcp'],
    });
  });

  test('of a range, each port of the container gets one of its own', () => {
    const range = [{ HostPort: '9000-9001' }];
    const PortBindings = { '80/tcp': range, '81/tcp': range, '80/udp': range };
    expect(writtenOf(dockerRun({}, { PortBindings }))).toMatchObject({
      ports: ['9000:80/tcp', '9001:81/tcp', '9000:80/udp'],
    });
  });

  test('none without a network, with a warning on that of the host', () => {
    const PortBindings = { '80/tcp': [{ HostPort: '8080' }] };
    expect(writtenOf(dockerRun({}, { NetworkMode: 'none', PortBindings }, { none: {} }))).toEqual({ network: 'none' });
    const found = specOfCreate(dockerRun({}, { NetworkMode: 'host', PortBindings }, { host: {} }), createContext());
    expect(found.written).not.toHaveProperty('ports');
    expect(found.warnings).toEqual(['Published ports are discarded when using host network mode']);
  });
});

describe('networks', () => {
  test.each<[string, string, object, object]>([
    ['the default bridge by its name', 'bridge', { bridge: {} }, { network: 'bridge' }],
    ['a network of Docker', 'un', { un: {} }, { network: '@docker/un' }],
    ['a network of a manifest', 'blog-back', {}, { network: 'blog/back' }],
    [
      'a network by its id',
      'id-of-un',
      { un: { Aliases: ['db'] } },
      { networks: { '@docker/un': { aliases: ['db'] } } },
    ],
    [
      'an address',
      'un',
      { un: { IPAMConfig: { IPv4Address: '10.99.0.9' } } },
      { networks: { '@docker/un': { ipv4: '10.99.0.9' } } },
    ],
    [
      'an address of IPv6',
      'p_default',
      { p_default: { IPAMConfig: { IPv6Address: 'fd99::9' } } },
      { networks: { '@docker/p_default': { ipv6: 'fd99::9' } } },
    ],
    [
      'several',
      'un',
      { un: { Aliases: ['a'] }, nosub: { GwPriority: 5, MacAddress: '02:00:00:00:00:05' } },
      {
        networks: {
          '@docker/un': { aliases: ['a'], priority: 1 },
          '@docker/nosub': { gatewayPriority: 5, mac: '02:00:00:00:00:05' },
        },
      },
    ],
    [
      'settings of an interface',
      'un',
      {
        un: {
          DriverOpts: {
            'com.docker.network.endpoint.ifname': 'lan0',
            'com.docker.network.endpoint.sysctls': 'net.ipv4.conf.IFNAME.rp_filter=2',
          },
        },
      },
      { networks: { '@docker/un': { interfaceName: 'lan0', sysctls: { 'net.ipv4.conf.IFNAME.rp_filter': '2' } } } },
    ],
    ['that of a container', 'container:cc', {}, { network: 'container:@docker/cc' }],
    ['that of a container of a manifest', 'container:blog-db', {}, { network: 'container:blog/db' }],
    ['that of a container that shares it', 'container:shares', {}, { network: 'container:@docker/cc' }],
    ['that of a container that shares the one of the host', 'container:shares-host', {}, { network: 'host' }],
    ['none', 'none', { none: {} }, { network: 'none' }],
  ])('%s', (_title, NetworkMode, endpoints, expected) => {
    expect(writtenOf(dockerRun({}, { NetworkMode }, endpoints))).toEqual(expected);
  });

  test('references in the order of the interfaces', () => {
    const body = dockerRun({}, { NetworkMode: 'un' }, { nosub: {}, un: {}, bridge: {} });
    const { references, spec } = specOfCreate(body, createContext());
    expect(references.networks).toEqual(['network/@docker/un', 'network/@docker/nosub', 'network//bridge']);
    expect(spec.networks?.map(({ network }) => network)).toEqual(['@docker/un', '@docker/nosub', 'bridge']);
    const shared = specOfCreate(dockerRun({}, { NetworkMode: 'container:cc' }, {}), createContext());
    expect(shared.references).toMatchObject({ networks: [], networkContainer: 'container/@docker/cc' });
  });

  test('links, as asked for and as an inspection shows them', () => {
    const body = dockerRun({}, { Links: ['cc:db', '/cc:/web/db2', 'cc'] });
    const found = specOfCreate(body, createContext());
    expect(found.written.links).toEqual(['@docker/cc:db', '@docker/cc:db2', '@docker/cc:cc']);
    expect(found.references.links).toEqual(['container/@docker/cc', 'container/@docker/cc', 'container/@docker/cc']);
  });

  test('links on a network, which the client names twice', () => {
    const body = dockerRun({}, { NetworkMode: 'un', Links: ['on-un:db'] }, { un: { Links: ['on-un:db'] } });
    expect(writtenOf(body)).toMatchObject({ links: ['@docker/on-un:db'] });
  });

  test('a MAC of the whole container, with a warning', () => {
    const found = specOfCreate(dockerRun({ MacAddress: '02:00:00:00:00:05' }), createContext());
    expect(found.spec.networks).toMatchObject([{ network: 'bridge', mac: '02:00:00:00:00:05' }]);
    expect(found.warnings).toEqual([
      'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.',
    ]);
  });

  test('names of servers and hosts', () => {
    const HostConfig = {
      Dns: ['9.9.9.9'],
      DnsSearch: ['example.com'],
      ExtraHosts: ['h:1.2.3.4', 'g:host-gateway', 'six:[fd00::1]'],
    };
    expect(writtenOf(dockerRun({}, HostConfig))).toEqual({
      ...ON_BRIDGE,
      dns: ['9.9.9.9'],
      dnsSearch: ['example.com'],
      extraHosts: ['h:1.2.3.4', 'g:host-gateway', 'six:fd00::1'],
    });
  });
});

/** Bodies near those that clients send: each member has a value of its kind, of another kind, or none. */
function nearlyBody(): fc.Arbitrary<unknown> {
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom(
      '',
      '/',
      '..',
      'a:b',
      '/a:/b:ro',
      'container:cc',
      'container:shares',
      '80/tcp',
      '80-90',
      'un',
      'cc:x',
      '@docker/x',
      '__proto__',
      '\0',
      '\u001b[31m',
    ),
    fc.integer(),
    fc.constantFrom(1e300, -1, 2 ** 64, Number.MIN_VALUE),
  );
  const known = (members: object): fc.Arbitrary<object> =>
    fc.record(
      Object.fromEntries(
        Object.keys(members).map((name) => [
          name,
          fc.oneof(
            odd,
            fc.array(odd, { maxLength: 3 }),
            fc.dictionary(
              fc.constantFrom(
                '80/tcp',
                'un',
                '/x',
                'Name',
                'Type',
                'Source',
                'Target',
                'Config',
                'Test',
                '__proto__',
                'constructor',
              ),
              odd,
            ),
          ),
        ]),
      ),
      { requiredKeys: [] },
    );
  const extra = { StorageOpt: 0, Tmpfs: 0, Sysctls: 0, Mounts: 0, Annotations: 0, Runtime: 0, Init: 0 };
  const { HostConfig, NetworkingConfig: _networking, ...config } = DOCKER_RUN;
  return fc
    .tuple(
      known({ ...config, Healthcheck: 0, ExposedPorts: 0, StopSignal: 0, StopTimeout: 0, MacAddress: 0 }),
      known({ ...HostConfig, ...extra }),
      odd,
    )
    .map(([top, host, endpoints]) => ({
      ...top,
      HostConfig: host,
      NetworkingConfig: { EndpointsConfig: { un: endpoints } },
    }));
}

test('whatever is sent, the answer is a specification or an error of a client', () => {
  const context = createContext();
  const judge = (body: unknown): void => {
    try {
      const { written, spec } = specOfCreate(body, context);
      expect(containerSchema.parse(written)).toEqual(spec);
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      expect(error.status).toBeGreaterThanOrEqual(400);
      expect(error.status).toBeLessThan(500);
    }
  };
  fc.assert(fc.property(fc.jsonValue(), judge), { numRuns: 200 });
  fc.assert(fc.property(nearlyBody(), judge), { numRuns: 500 });
});

/** One member of a good body at a time: what comes after it is reached too. */
test('one odd member in a good body', () => {
  const context = createContext();
  const places = [
    ...Object.keys(DOCKER_RUN.HostConfig).map((name) => (value: unknown) => dockerRun({}, { [name]: value })),
    ...Object.keys(DOCKER_RUN).map((name) => (value: unknown) => ({ ...DOCKER_RUN, [name]: value })),
  ];
  const property = fc.property(fc.constantFrom(...places), fc.jsonValue(), (place, value) => {
    try {
      specOfCreate(place(value), context);
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
    }
  });
  fc.assert(property, { numRuns: 1000 });
});
