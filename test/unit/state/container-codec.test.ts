import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonValue } from '../../../src/model/json.ts';
import { decodeContainer, encodeContainer } from '../../../src/state/containers/container-codec.ts';
import { CONFIG_JSON } from '../../../src/state/containers/container-files.ts';
import type { ContainerRecord, RunState } from '../../../src/state/containers/container-record.ts';
import { NEVER_RUN } from '../../../src/state/containers/container-record.ts';
import { HOST_CONFIG } from '../../../src/state/containers/run-config.ts';
import { goMarshal, goUnmarshal } from '../../../src/state/files/go-json.ts';
import { containerRecord } from '../../support/container-record.ts';
import { configJson, DOCKER_IDS, HOST_CONFIG_JSON } from '../../support/docker-root.ts';

const goTime = (wallMs: number): string => new Date(wallMs).toISOString();

const BOOT = 'b00t';

const runs: ContainerRecord = containerRecord({
  run: 3,
  state: {
    ...NEVER_RUN,
    status: 'running',
    pid: 4242,
    startedAt: '2026-01-02T03:04:05.1Z',
    bootId: BOOT,
    startedAtBootMs: 12_345.5,
  },
  handle: {
    containerId: 'ab'.repeat(32),
    run: 3,
    bootId: BOOT,
    driverState: { ShimPid: 4241, ShimStartTime: '99' },
    pid: 4242,
    startTime: '100',
    startedAtMs: 1_767_323_045_100,
  },
  network: {
    address: '10.80.0.2',
    prefixLength: 24,
    mac: '02:42:0a:50:00:02',
    gateway: '10.80.0.1',
    bridge: 'tsdocker0',
    ports: [{ hostIp: '0.0.0.0', hostPort: 8080, containerPort: 80, protocol: 'tcp' }],
    exposed: [{ port: 53, protocol: 'udp' }],
  },
  volumes: { '/data': { path: '/root/vfs/dir/x', writable: true }, '/ro': { path: '/etc', writable: false } },
  restart: { restarts: 2, consecutive: 1, requested: false },
  linkAddresses: { db: '10.80.0.3' },
});

describe('an encoded record', () => {
  it("has Docker's fields in Docker's order and ours last", () => {
    const written = goMarshal(CONFIG_JSON, encodeContainer(runs)).replaceAll('ab'.repeat(32), '<id>');
    expect(written.replaceAll('11'.repeat(32), '<image>').replaceAll('22'.repeat(32), '<layer>')).toMatchInlineSnapshot(
      `"{"State":{"Running":true,"Paused":false,"Restarting":false,"OOMKilled":false,"Pid":4242,"ExitCode":0,"Error":"","StartedAt":"2026-01-02T03:04:05.1Z","FinishedAt":"0001-01-01T00:00:00Z"},"ID":"<id>","Created":"2026-01-02T03:04:05.000000678Z","Path":"/bin/web","Args":["--listen",":80"],"Config":{"Hostname":"web","Domainname":"","User":"","Memory":0,"MemorySwap":0,"CpuShares":0,"Cpuset":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"PortSpecs":null,"ExposedPorts":null,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["A=1"],"Cmd":null,"Image":"nginx","Volumes":null,"WorkingDir":"","Entrypoint":null,"NetworkDisabled":false,"MacAddress":"","OnBuild":null},"Image":"<image>","NetworkSettings":{"IPAddress":"10.80.0.2","IPPrefixLen":24,"MacAddress":"02:42:0a:50:00:02","Gateway":"10.80.0.1","Bridge":"tsdocker0","PortMapping":null,"Ports":{"53/udp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"}]}},"ResolvConfPath":"/r/resolv.conf","HostnamePath":"/r/hostname","HostsPath":"/r/hosts","Name":"/blog-web","Driver":"overlay","ExecDriver":"native","MountLabel":"","ProcessLabel":"","AppArmorProfile":"","RestartCount":2,"Volumes":{"/data":"/root/vfs/dir/x","/ro":"/etc"},"VolumesRW":{"/data":true,"/ro":false},"Tsdocker":{"Owner":{"Key":"container/blog/web","Written":{"image":"nginx","ports":["8080:80"]},"SchemaVersion":1,"SpecHash":"cafe","ContentHashes":{"./web.env":"f00d"},"Generation":7},"TopLayer":"<layer>","Snapshot":"<id>","Run":3,"ExitUnknown":false,"StartErrorClass":"","BootId":"b00t","StartedAtBootMs":12345.5,"FinishedAtBootMs":null,"Handle":{"Run":3,"BootId":"b00t","ShimPid":4241,"ShimStartTime":"99","Pid":4242,"StartTime":"100","StartedAtMs":1767323045100},"StoppedByUserAt":null,"ConsecutiveFailures":1,"RestartRequested":false,"LinkAddresses":{"db":"10.80.0.3"},"EnvAddresses":{},"DependencyRuns":{}}}"`,
    );
  });

  it('equals the bytes of Docker for a container of Docker', () => {
    const fixture = {
      id: DOCKER_IDS.web,
      name: 'web',
      driver: 'overlay',
      state:
        '{"Running":false,"Paused":false,"Restarting":false,"OOMKilled":true,"Pid":0,"ExitCode":137,"Error":"",' +
        '"StartedAt":"2014-12-16T08:00:00.1Z","FinishedAt":"2014-12-16T09:30:00.000000001Z"}',
      network:
        '{"IPAddress":"172.17.0.2","IPPrefixLen":16,"MacAddress":"02:42:ac:11:00:02","Gateway":"172.17.42.1",' +
        '"Bridge":"docker0","PortMapping":null,"Ports":{"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"49153"}],"90/tcp":null}}',
      volumes: '{"/data":"/var/lib/docker/vfs/dir/x"}',
      volumesRw: '{"/data":true}',
    };
    const text = configJson('/var/lib/docker', fixture);
    const hostConfig = goUnmarshal(HOST_CONFIG, HOST_CONFIG_JSON);
    const record = decodeContainer(goUnmarshal(CONFIG_JSON, text), hostConfig);
    expect(goMarshal(CONFIG_JSON, encodeContainer(record))).toBe(text);
    expect(goMarshal(HOST_CONFIG, record.hostConfig)).toBe(HOST_CONFIG_JSON);
    expect(record).toMatchObject({ owner: null, engineName: 'web', snapshotId: DOCKER_IDS.web, run: 0 });
    expect(record.state).toMatchObject({ status: 'exited', exitCode: 137, oomKilled: true });
  });

  it('has -127 for an unknown end, like Docker, and decodes it as unknown', () => {
    const state: RunState = { ...NEVER_RUN, status: 'exited', startedAt: goTime(1), finishedAt: goTime(2) };
    const json = encodeContainer(containerRecord({ run: 1, state }));
    expect(json.State).toMatchObject({ Running: false, ExitCode: -127 });
    expect(decodeContainer(json, HOST_CONFIG.zero()).state).toEqual(state);
  });
});

describe('an invalid record', () => {
  it.each([
    ['a port that is none', { Ports: { 'web/tcp': null } }],
    ['a protocol that is none', { Ports: { '80/dccp': null } }],
    ['a host port beyond 65535', { Ports: { '80/tcp': [{ HostIp: '', HostPort: '70000' }] } }],
  ])('%s', (_what, settings) => {
    const json = encodeContainer(runs);
    const network = { ...encodeContainer(runs).NetworkSettings, ...settings } as typeof json.NetworkSettings;
    expect(() => decodeContainer({ ...json, NetworkSettings: network }, HOST_CONFIG.zero())).toThrow('Ports');
  });

  it('with an owner that is no container', () => {
    const json = encodeContainer(runs);
    const extension = json.Tsdocker;
    const owner = extension?.Owner && { ...extension.Owner, Key: 'volume/blog/web' };
    const bad = { ...json, Tsdocker: extension && { ...extension, Owner: owner ?? null } };
    expect(() => decodeContainer(bad, HOST_CONFIG.zero())).toThrow('Owner.Key');
  });
});

const word = fc.string({ unit: 'grapheme' });
const time = fc.integer({ min: 1, max: 4e12 }).map(goTime);
const port = fc.integer({ min: 0, max: 65535 });
const protocol = fc.constantFrom('tcp' as const, 'udp' as const);
const bootMs = fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }).map((ms) => ms + 0));

const neverEnded = { exitCode: fc.constant(null), finishedAt: fc.constant(null) };
const ended = { exitCode: fc.integer({ min: 0, max: 255 }), finishedAt: time };
const startError = fc.record({
  class: fc.constantFrom('precondition' as const, 'denied' as const),
  message: fc.string({ minLength: 1, unit: 'grapheme' }),
});
const common = {
  pid: fc.nat(),
  oomKilled: fc.boolean(),
  startError: fc.option(startError),
  bootId: word,
  startedAtBootMs: bootMs,
  finishedAtBootMs: bootMs,
};
const anyState: fc.Arbitrary<RunState> = fc.oneof(
  fc.record({ status: fc.constant('created' as const), ...common, ...neverEnded, startedAt: fc.constant(null) }),
  fc.record({
    status: fc.constantFrom('running' as const, 'paused' as const),
    ...common,
    ...neverEnded,
    startedAt: time,
  }),
  fc.record({
    status: fc.constantFrom('exited' as const, 'restarting' as const),
    ...common,
    ...ended,
    startedAt: time,
  }),
);

const said = word.filter((text) => text !== '');

const endpoint = fc.record({
  network: fc.constantFrom('network/blog/back' as const, 'network//bridge' as const),
  bridge: word,
  interfaceName: word,
  ipv4: fc.option(fc.ipV4()),
  ipv6: fc.option(fc.ipV6()),
  mac: fc.option(said),
  gateway4: fc.option(fc.ipV4()),
  gateway6: fc.option(fc.ipV6()),
  defaultRoute: fc.record({ ipv4: fc.boolean(), ipv6: fc.boolean() }),
  aliases: fc.array(word),
});

/** The ports of one container port stand together in Docker's form, and those that are only exposed have no binding. */
const network = fc.record({
  address: fc.ipV4(),
  prefixLength: fc.integer({ min: 1, max: 32 }),
  mac: fc.option(said),
  gateway: fc.option(fc.ipV4()),
  bridge: word,
  ports: fc.uniqueArray(fc.record({ hostIp: fc.ipV4(), hostPort: port, containerPort: port, protocol }), {
    selector: (p) => `${p.containerPort}/${p.protocol}`,
  }),
  exposed: fc.constant([]),
});

const sortPorts = (record: ContainerRecord): ContainerRecord => {
  if (record.network === null) return record;
  const name = (p: { containerPort: number; protocol: string }): string => `${p.containerPort}/${p.protocol}`;
  const ports = record.network.ports.toSorted((a, b) => name(a).localeCompare(name(b)));
  return { ...record, network: { ...record.network, ports } };
};

const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);

const handle = fc.record({
  containerId: fc.constant(containerRecord().id),
  run: fc.nat(),
  bootId: fc.uuid(),
  pid: fc.nat(),
  startTime: word,
  startedAtMs: fc.nat(),
  driverState: fc
    .tuple(
      fc.dictionary(word, json),
      fc.record({ ShimPid: fc.oneof(fc.integer(), json), ShimStartTime: fc.oneof(word, json) }, { requiredKeys: [] }),
    )
    .map(([own, shim]) => ({ ...own, ...shim })),
});

const moment = fc.record({ at: time, bootId: fc.uuid(), atBootMs: fc.nat() });

it('reads back every record it wrote', () => {
  const records = fc.record({
    state: anyState,
    network: fc.option(network),
    run: fc.integer({ min: 1, max: 1e6 }),
    begunAt: fc.option(moment),
    args: fc.array(word),
    written: json,
    handle: fc.option(handle),
    linkAddresses: fc.dictionary(word, fc.ipV4()),
    endpoints: fc.array(endpoint, { minLength: 1 }),
    interfaceNames: fc.dictionary(word, word, { minKeys: 1 }),
    topLayer: fc.option(word.filter((text) => text !== '')),
    stopOverride: fc.option(
      fc.record({
        at: time,
        specHash: fc.option(word),
        until: fc.option(moment),
      }),
    ),
    stopTimeoutMs: fc.option(fc.nat()),
    stopping: fc.option(fc.record({ run: fc.nat(), signal: word, at: moment })),
  });
  fc.assert(
    fc.property(records, ({ written, ...overrides }) => {
      const base = containerRecord();
      const owner = base.owner && { ...base.owner, written };
      const record = sortPorts({ ...base, ...overrides, owner });
      const text = goMarshal(CONFIG_JSON, encodeContainer(record));
      expect(sortPorts(decodeContainer(goUnmarshal(CONFIG_JSON, text), record.hostConfig))).toEqual(record);
    }),
  );
});
