/** Bodies of POST /containers/create that Docker 26.1 refuses, with its own words. */
import { describe, expect, test } from 'vitest';
import { specOfCreate } from '../../../src/docker/create/container-spec.ts';
import { DockerError } from '../../../src/docker/wire/docker-error.ts';
import { createContext } from '../../support/docker-create.ts';

const MIB = 2 ** 20;

type Case = readonly [title: string, body: object, message: string];

const host = (title: string, HostConfig: object, message: string): Case => [title, { HostConfig }, message];

const joined = (title: string, EndpointsConfig: object, message: string, NetworkMode = 'un'): Case => [
  title,
  { HostConfig: { NetworkMode }, NetworkingConfig: { EndpointsConfig } },
  message,
];

function answerTo(body: unknown, minor = 45): string {
  try {
    specOfCreate(body, createContext({ minor }));
  } catch (error) {
    if (error instanceof DockerError) return `${error.status} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const PROCESS: readonly Case[] = [
  ['no command', { Entrypoint: [''], Cmd: [] }, 'no command specified'],
  [
    'a relative working directory',
    { WorkingDir: 'rel' },
    "the working directory 'rel' is invalid, it needs to be an absolute path",
  ],
  ['a variable without a name', { Env: ['=x'] }, 'invalid environment variable: =x'],
  ['an empty variable', { Env: [''] }, 'invalid environment variable: '],
  ['an unknown signal', { StopSignal: 'FOO' }, 'invalid signal: FOO'],
  [
    'an interval of nanoseconds',
    { Healthcheck: { Test: ['CMD', 'x'], Interval: 5 } },
    'Interval in Healthcheck cannot be less than 1ms',
  ],
  ['a timeout of nanoseconds', { Healthcheck: { Timeout: 5 } }, 'Timeout in Healthcheck cannot be less than 1ms'],
  [
    'a negative start period',
    { Healthcheck: { StartPeriod: -5 } },
    'StartPeriod in Healthcheck cannot be less than 1ms',
  ],
  [
    'a start interval of nanoseconds',
    { Healthcheck: { StartInterval: 5 } },
    'StartInterval in Healthcheck cannot be less than 1ms',
  ],
  ['negative retries', { Healthcheck: { Retries: -1 } }, 'Retries in Healthcheck cannot be negative'],
];

const LIMITS: readonly Case[] = [
  host('little memory', { Memory: 1000 }, 'Minimum memory limit allowed is 6MB'),
  host('negative memory', { Memory: -1 }, 'Minimum memory limit allowed is 6MB'),
  host(
    'swap without memory',
    { MemorySwap: 100 * MIB },
    'You should always set the Memory limit when using Memoryswap limit, see usage',
  ),
  host(
    'less swap than memory',
    { Memory: 100 * MIB, MemorySwap: 50 * MIB },
    'Minimum memoryswap limit should be larger than memory limit, see usage',
  ),
  host(
    'a reservation above the limit',
    { Memory: 100 * MIB, MemoryReservation: 200 * MIB },
    'Minimum memory limit can not be less than memory reservation limit, see usage',
  ),
  host('a small reservation', { MemoryReservation: 5 }, 'Minimum memory reservation allowed is 6MB'),
  host('swappiness', { MemorySwappiness: 200 }, 'Invalid value: 200, valid memory swappiness range is 0-100'),
  host(
    'CPUs and a period',
    { NanoCpus: 1e9, CpuPeriod: 100_000 },
    'Conflicting options: Nano CPUs and CPU Period cannot both be set',
  ),
  host(
    'CPUs and a quota',
    { NanoCpus: 1e9, CpuQuota: 100_000 },
    'Conflicting options: Nano CPUs and CPU Quota cannot both be set',
  ),
  host(
    'more CPUs than there are',
    { NanoCpus: 1000e9 },
    'Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available',
  ),
  host(
    'a short period',
    { CpuPeriod: 5 },
    'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
  ),
  host('a small quota', { CpuQuota: 5 }, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'),
  host(
    'CPUs that are not there',
    { CpusetCpus: '0-99' },
    'Requested CPUs are not available - requested 0-99, available: 0-1',
  ),
  host('no list of CPUs', { CpusetCpus: 'a' }, 'Invalid value a for cpuset cpus: invalid format: a'),
  host('a score', { OomScoreAdj: 2000 }, 'Invalid value 2000, range for oom score adj is [-1000, 1000]'),
  host('negative shared memory', { ShmSize: -1 }, 'SHM size can not be less than 0'),
];

const RUNNING: readonly Case[] = [
  host(
    'an unknown restart policy',
    { RestartPolicy: { Name: 'foo' } },
    "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
  ),
  host(
    'a count of restarts with always',
    { RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } },
    "invalid restart policy: maximum retry count can only be used with 'on-failure'",
  ),
  host(
    'a negative count of restarts',
    { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: -3 } },
    'invalid restart policy: maximum retry count cannot be negative',
  ),
  host(
    'removal and restarts',
    { AutoRemove: true, RestartPolicy: { Name: 'always' } },
    "can't create 'AutoRemove' container with restart policy",
  ),
  host('a log driver', { LogConfig: { Type: 'foo' } }, 'error looking up logging plugin foo: plugin "foo" not found'),
  host(
    'a log option',
    { LogConfig: { Type: '', Config: { foo: 'x' } } },
    "unknown log opt 'foo' for json-file log driver",
  ),
  host('a runtime', { Runtime: 'foo' }, 'unknown or invalid runtime name: foo'),
  host('an IPC mode', { IpcMode: 'foo' }, 'invalid IPC mode: foo'),
  host('the IPC of a container that is not there', { IpcMode: 'container:foo' }, 'No such container: foo'),
  host('a PID mode', { PidMode: 'foo' }, 'invalid PID mode: foo'),
  host('the processes of nothing', { PidMode: 'container:' }, 'invalid PID mode: container:'),
  host(
    'memory that is not shared',
    { IpcMode: 'container:cc' },
    'failed to join IPC namespace: container cc: non-shareable IPC (hint: use IpcMode:shareable for the donor container)',
  ),
  host(
    'settings of the IPC of the host',
    { IpcMode: 'host', Sysctls: { 'kernel.shmmax': '65536' } },
    'sysctl "kernel.shmmax" is not allowed in the hosts ipc namespace',
  ),
  host(
    'settings of the network of the host',
    { NetworkMode: 'host', Sysctls: { 'net.core.somaxconn': '5' } },
    'sysctl "net.core.somaxconn" not allowed in host network namespace',
  ),
  host('a UTS mode', { UTSMode: 'foo' }, 'invalid UTS mode: foo'),
  host('a cgroup namespace', { CgroupnsMode: 'foo' }, 'invalid cgroup namespace mode: foo'),
  host('a capability', { CapAdd: ['FOO'] }, 'invalid CapAdd: unknown capability: "CAP_FOO"'),
  host(
    'annotations',
    { Annotations: { '': 'x' } },
    'invalid Annotations: the empty string is not permitted as an annotation key',
  ),
];

const MOUNTS: readonly Case[] = [
  host(
    'a relative bind',
    { Binds: ['rel/x:/y'] },
    'create rel/x: "rel/x" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
  ),
  host('one target twice', { Binds: ['/tmp:/y', '/srv:/y/'] }, 'Duplicate mount point: /y'),
  host(
    'a mount on a bind',
    { Binds: ['/tmp:/y'], Mounts: [{ Type: 'volume', Source: 'vv', Target: '/y' }] },
    'Duplicate mount point: /y',
  ),
  host('a tmpfs on a bind', { Binds: ['/tmp:/y'], Tmpfs: { '/y': '' } }, 'Duplicate mount point: /y'),
  host(
    'a short name',
    { Binds: ['a:/y'] },
    'create a: volume name is too short, names should be at least two alphanumeric characters',
  ),
  host(
    'a bind of nothing',
    { Mounts: [{ Type: 'bind', Source: '/nope', Target: '/x' }] },
    'invalid mount config for type "bind": bind source path does not exist: /nope',
  ),
  host(
    'no source',
    { Mounts: [{ Type: 'bind', Target: '/x' }] },
    'invalid mount config for type "bind": field Source must not be empty',
  ),
  host(
    'a type',
    { Mounts: [{ Type: 'foo', Target: '/x' }] },
    'invalid mount config for type "foo": mount type unknown',
  ),
  host(
    'no target',
    { Mounts: [{ Type: 'bind', Source: '/tmp' }] },
    'invalid mount config for type "bind": field Target must not be empty',
  ),
  host(
    'a relative source',
    { Mounts: [{ Type: 'bind', Source: 'rel', Target: '/x' }] },
    'invalid mount config for type "bind": invalid mount path: \'rel\' mount path must be absolute',
  ),
  host(
    'the root',
    { Mounts: [{ Type: 'volume', Target: '/' }] },
    "invalid mount config for type \"volume\": invalid specification: destination can't be '/'",
  ),
  host(
    'a tmpfs with a source',
    { Mounts: [{ Type: 'tmpfs', Source: 'vv', Target: '/x' }] },
    'invalid mount config for type "tmpfs": field Source must not be specified',
  ),
  host(
    'options of another type',
    { Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/x', VolumeOptions: {} }] },
    'VolumeOptions must not be specified on mount type "bind"',
  ),
  host(
    'a subpath that leads out',
    { Mounts: [{ Type: 'volume', Source: 'vv', Target: '/x', VolumeOptions: { Subpath: '../a' } }] },
    'invalid mount config for type "volume": subpath must be a relative path within the volume',
  ),
  host(
    'a propagation',
    { Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/x', BindOptions: { Propagation: 'foo' } }] },
    'invalid mount config for type "bind": invalid propagation mode: foo',
  ),
  host('volumes of a container that is not there', { VolumesFrom: ['nope'] }, 'No such container: nope'),
  host('a mode of volumes', { VolumesFrom: ['cc:foo'] }, 'invalid mode: foo'),
  host('volumes of nothing', { VolumesFrom: [''] }, 'volumes-from specification cannot be an empty string'),
];

const SHARED = 'container:cc';
const NETWORK: readonly Case[] = [
  host('a port', { PortBindings: { 'x/tcp': [{}] } }, 'invalid port specification: "x"'),
  host('a host port', { PortBindings: { '80/tcp': [{ HostPort: 'x' }] } }, 'invalid port specification: "x"'),
  host(
    'a large host port',
    { PortBindings: { '80/tcp': [{ HostPort: '99999' }] } },
    'invalid port specification: "99999"',
  ),
  host(
    'a host port for two ports of it',
    { PortBindings: { '80/tcp': [{ HostPort: '8080' }], '81/tcp': [{ HostPort: '8080' }] } },
    'Bind for 0.0.0.0:8080 failed: port is already allocated',
  ),
  host('a range as a key', { PortBindings: { '80-85/tcp': [{}] } }, 'invalid port specification: "80-85"'),
  host('a range backwards', { PortBindings: { '80': [{ HostPort: '90-80' }] } }, 'invalid port specification: "90-80"'),
  host(
    'no container',
    { NetworkMode: 'container:' },
    'Invalid network mode: invalid container format container:<name|id>',
  ),
  [
    'a shared network and a name',
    { Hostname: 'x', HostConfig: { NetworkMode: SHARED } },
    'conflicting options: hostname and the network mode',
  ],
  host(
    'a shared network and links',
    { NetworkMode: SHARED, Links: ['cc:x'] },
    "conflicting options: container type network can't be used with links. This would result in undefined behavior",
  ),
  host(
    'a shared network and DNS',
    { NetworkMode: SHARED, Dns: ['1.1.1.1'] },
    'conflicting options: dns and the network mode',
  ),
  host(
    'a shared network and hosts',
    { NetworkMode: SHARED, ExtraHosts: ['a:1.1.1.1'] },
    'conflicting options: custom host-to-IP mapping and the network mode',
  ),
  host(
    'a shared network and ports',
    { NetworkMode: SHARED, PublishAllPorts: true },
    'conflicting options: port publishing and the container type network mode',
  ),
  [
    'a shared network and open ports',
    { ExposedPorts: { '80/tcp': {} }, HostConfig: { NetworkMode: SHARED } },
    'conflicting options: port exposing and the container type network mode',
  ],
  host(
    'links on the network of the host',
    { NetworkMode: 'host', Links: ['cc:x'] },
    "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
  ),
  host(
    'a link to the network of the host',
    { Links: ['hh:x'] },
    "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
  ),
  host('a link to nothing', { Links: ['nope:x'] }, 'could not get container for nope: No such container: nope'),
  ['a MAC', { MacAddress: 'foo' }, 'invalid config for network bridge: invalid MAC address foo'],
  host('a host without an address', { ExtraHosts: ['foo'] }, 'bad format for add-host: "foo"'),
  host('a host that is no address', { ExtraHosts: ['foo:bar'] }, 'invalid IP address in add-host: "bar"'),
  joined(
    'no address',
    { un: { IPAMConfig: { IPv4Address: 'x' } } },
    'invalid config for network un: invalid endpoint settings:\n* invalid IPv4 address: x\n* no configured subnet or ip-range contain the IP address x',
  ),
  joined(
    'an address of another network',
    { un: { IPAMConfig: { IPv4Address: '10.98.0.1' } } },
    'invalid config for network un: invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.98.0.1',
  ),
  joined(
    'an address without a subnet',
    { nosub: { IPAMConfig: { IPv4Address: '10.98.0.1' } } },
    'invalid config for network nosub: invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks with user configured subnets',
    'nosub',
  ),
  joined(
    'an address on the default bridge',
    { bridge: { IPAMConfig: { IPv4Address: '172.17.0.9' } } },
    'invalid config for network bridge: invalid endpoint settings:\n* user specified IP address is supported on user defined networks only\n* user specified IP address is supported only when connecting to networks with user configured subnets',
    'bridge',
  ),
  joined(
    'an alias on the default bridge',
    { bridge: { Aliases: ['x'] } },
    'invalid config for network bridge: invalid endpoint settings:\nnetwork-scoped alias is supported only for containers in user defined networks',
    'default',
  ),
  joined('nothing of a network', { un: null }, 'invalid config for network un: EndpointsConfig is nil'),
  joined('a MAC on a network', { un: { MacAddress: 'foo' } }, 'invalid config for network un: invalid MAC address foo'),
  [
    'two MACs',
    {
      MacAddress: '02:00:00:00:00:02',
      HostConfig: { NetworkMode: 'un' },
      NetworkingConfig: { EndpointsConfig: { un: { MacAddress: '02:00:00:00:00:01' } } },
    },
    'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
  ],
];

describe.each([
  ['the program', PROCESS],
  ['limits', LIMITS],
  ['what it runs with', RUNNING],
  ['mounts', MOUNTS],
  ['the network', NETWORK],
] as const)('a body that Docker refuses for %s', (_what, cases) => {
  test.each(cases)('%s', (_title, body, message) => {
    expect(answerTo({ Image: 'busybox', Cmd: ['sh'], ...body })).toBe(`400 ${message}`);
  });
});

test('no body, and an empty one', () => {
  expect(answerTo(undefined)).toBe('400 invalid JSON: got EOF while reading request body');
  expect(answerTo(null)).toBe('400 config cannot be empty in order to create a container');
  expect(answerTo({})).toBe('400 config cannot be empty in order to create a container');
  expect(answerTo([])).toMatch(/^400 invalid JSON: /);
});

test('several networks for a client that is older than they are', () => {
  const body = { Image: 'x', NetworkingConfig: { EndpointsConfig: { un: {}, nosub: {} } } };
  expect(answerTo(body, 43)).toBe('400 Container cannot be created with multiple network endpoints: un, nosub');
  expect(answerTo(body, 44)).toBe('accepted');
});

test('a volume of another driver', () => {
  const body = { Image: 'x', HostConfig: { Binds: ['data:/y'], VolumeDriver: 'foo' } };
  expect(answerTo(body)).toBe('404 create data: error looking up volume plugin foo: plugin "foo" not found');
});

/** Docker takes these and fails or forgets later; here nothing is left out in silence. */
test.each<[string, object]>([
  ['DeviceRequests', { DeviceRequests: [{ Count: -1, Capabilities: [['gpu']] }] }],
  ['DeviceCgroupRules', { DeviceCgroupRules: ['c 1:3 rwm'] }],
  ['CgroupParent', { CgroupParent: 'foo' }],
  ['StorageOpt', { StorageOpt: { size: '10G' } }],
  ['a seccomp profile that is none', { SecurityOpt: ['seccomp={"defaultAction": "x"}'] }],
  ['a seccomp profile that no program starts with', { SecurityOpt: ['seccomp={"defaultAction": "SCMP_ACT_KILL"}'] }],
  ['the path of a seccomp profile', { SecurityOpt: ['seccomp=/etc/profile.json'] }],
  ['AppArmor', { SecurityOpt: ['apparmor=mine'] }],
  ['SELinux', { SecurityOpt: ['label=type:x'] }],
  ['an unknown security option', { SecurityOpt: ['systempaths=unconfined'] }],
  ['visible paths', { MaskedPaths: [] }],
  ['other hidden paths', { MaskedPaths: ['/etc/shadow'] }],
  ['real time', { CpuRealtimeRuntime: 5 }],
  ['a user namespace', { UsernsMode: 'foo' }],
])('%s is refused, not left out', (_title, HostConfig) => {
  expect(answerTo({ Image: 'x', Cmd: ['sh'], HostConfig })).toMatch(/^400 /);
});
