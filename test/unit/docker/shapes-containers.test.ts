/** What clients read of containers: texts, filters and names. */
import { expect, test } from 'vitest';
import { chosenContainers, type Filtered, type FilterNames } from '../../../src/docker/containers/container-filters.ts';
import { type DockerState, statusText } from '../../../src/docker/containers/container-state.ts';
import { commandText } from '../../../src/docker/containers/container-summary.ts';
import { newestFirst, sortable } from '../../../src/docker/containers/created-order.ts';
import { humanDuration } from '../../../src/docker/containers/durations.ts';
import { portList, portMap } from '../../../src/docker/containers/ports.ts';
import { namesAsRead } from '../../../src/docker/images/image-names.ts';
import { findContainer, findImageRecord, findNetwork } from '../../../src/docker/lookup.ts';
import { foundIn } from '../../../src/docker/wire/pattern.ts';
import { Query } from '../../../src/docker/wire/query.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import type { ContainerNetwork } from '../../../src/state/containers/container-record.ts';
import type { GraphIndex } from '../../../src/state/images/graph-index.ts';
import { containerRecord } from '../../support/container-record.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

test('durations are in the words of Docker', () => {
  const said = [
    [0, 'Less than a second'],
    [999, 'Less than a second'],
    [1999, '1 second'],
    [59 * SECOND, '59 seconds'],
    [61 * SECOND, 'About a minute'],
    [59 * MINUTE, '59 minutes'],
    [HOUR, 'About an hour'],
    [89 * MINUTE, 'About an hour'],
    [90 * MINUTE, '2 hours'],
    [47 * HOUR, '47 hours'],
    [48 * HOUR, '2 days'],
    [13 * DAY, '13 days'],
    [14 * DAY, '2 weeks'],
    [59 * DAY, '8 weeks'],
    [60 * DAY, '2 months'],
    [729 * DAY, '24 months'],
    [730 * DAY, '2 years'],
  ] as const;
  expect(said.map(([ms]) => humanDuration(ms))).toEqual(said.map(([, text]) => text));
});

const STARTED = '2026-01-01T00:00:00Z';
const NOW = Date.parse(STARTED) + 3 * MINUTE;
const UP: DockerState = {
  Status: 'running',
  Running: true,
  Paused: false,
  Restarting: false,
  OOMKilled: false,
  Dead: false,
  Pid: 5,
  ExitCode: 0,
  Error: '',
  StartedAt: STARTED,
  FinishedAt: '0001-01-01T00:00:00Z',
};
const ENDED: DockerState = {
  ...UP,
  Status: 'exited',
  Running: false,
  Pid: 0,
  ExitCode: 3,
  FinishedAt: '2026-01-01T00:02:58Z',
};

test('the status of a container is in the words of Docker', () => {
  const healthy = (Status: 'starting' | 'healthy' | 'unhealthy'): DockerState => ({
    ...UP,
    Health: { Status, FailingStreak: 0, Log: [] },
  });
  expect(
    [
      UP,
      healthy('starting'),
      healthy('healthy'),
      healthy('unhealthy'),
      { ...UP, Status: 'paused', Paused: true } as const,
      ENDED,
      { ...ENDED, Status: 'restarting', Running: true, Restarting: true } as const,
      { ...ENDED, Status: 'created' } as const,
      { ...ENDED, Status: 'removing' } as const,
    ].map((state) => statusText(state, NOW)),
  ).toEqual([
    'Up 3 minutes',
    'Up 3 minutes (health: starting)',
    'Up 3 minutes (healthy)',
    'Up 3 minutes (unhealthy)',
    'Up 3 minutes (Paused)',
    'Exited (3) 2 seconds ago',
    'Restarting (3) 2 seconds ago',
    'Created',
    'Removal In Progress',
  ]);
  expect(commandText({ path: '/bin/sh', args: ['-c', 'exit 3'] })).toBe("/bin/sh -c 'exit 3'");
});

test('times with trimmed fractions sort as times', () => {
  const times = ['2026-01-01T00:00:00.1Z', '2026-01-01T00:00:00.12Z', '2026-01-01T00:00:00Z'];
  expect(times.map((created) => ({ created })).sort(newestFirst)).toEqual(
    [times[1], times[0], times[2]].map((created) => ({ created })),
  );
  expect(sortable('2026-01-01T00:00:00.000000001Z') > sortable('2026-01-01T00:00:00Z')).toBe(true);
});

const NETWORK: ContainerNetwork = {
  address: '10.0.0.2',
  prefixLength: 24,
  mac: null,
  gateway: '10.0.0.1',
  bridge: 'b',
  ports: [
    { hostIp: '::', hostPort: 8080, containerPort: 80, protocol: 'tcp' },
    { hostIp: '0.0.0.0', hostPort: 8080, containerPort: 80, protocol: 'tcp' },
  ],
  exposed: [{ port: 99, protocol: 'udp' }],
};

test('ports are listed and mapped, exposed ones without a binding', () => {
  expect(portMap({ network: NETWORK })).toEqual({
    '80/tcp': [
      { HostIp: '0.0.0.0', HostPort: '8080' },
      { HostIp: '::', HostPort: '8080' },
    ],
    '99/udp': null,
  });
  expect(portList({ network: NETWORK })).toEqual([
    { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
    { PrivatePort: 99, Type: 'udp' },
  ]);
  expect(portMap({ network: null })).toEqual({});
});

function filtered(name: string, created: string, state: DockerState, more: Partial<Filtered> = {}): Filtered {
  return {
    id: name.padEnd(64, '0'),
    name,
    created,
    imageId: 'i1',
    state,
    labels: () => ({}),
    networks: () => ({}),
    mounts: () => [],
    published: () => [],
    exposed: () => [],
    ...more,
  };
}

const ALL = [
  filtered('a1', '2026-01-01T00:00:01Z', UP, {
    labels: () => ({ tier: 'front' }),
    published: () => ['80/tcp'],
    mounts: () => [
      { Type: 'volume', Name: 'data', Source: '/x', Destination: '/data', Mode: 'z', RW: true, Propagation: '' },
    ],
  }),
  filtered('a2', '2026-01-01T00:00:02Z', ENDED, { imageId: 'i2', exposed: () => ['53/udp'] }),
  filtered('b3', '2026-01-01T00:00:03Z', { ...UP, Health: { Status: 'healthy', FailingStreak: 0, Log: [] } }),
];

const MEANT: FilterNames = {
  created: (name) => ALL.find((one) => one.name === name)?.created ?? '',
  images: (name) => new Set(name === 'img' ? ['i2'] : []),
};

const names = (query: string): string[] => chosenContainers(new Query(query), ALL, MEANT).map(({ name }) => name);
const by = (filters: object, more = '') => names(`filters=${encodeURIComponent(JSON.stringify(filters))}${more}`);

test('a list has what runs, newest first; all, limit and status show the rest', () => {
  expect(names('')).toEqual(['b3', 'a1']);
  expect(names('all=1')).toEqual(['b3', 'a2', 'a1']);
  expect(names('limit=2')).toEqual(['b3', 'a2']);
  expect(names('limit=-1')).toEqual(['b3', 'a1']);
  expect(by({ status: ['exited'] })).toEqual(['a2']);
});

test('each filter narrows a list; values of one are alternatives, labels are not', () => {
  expect(by({ name: ['a'] }, '&all=1')).toEqual(['a2', 'a1']);
  expect(by({ name: ['^/b3$', '^a2$'] }, '&all=1')).toEqual(['b3', 'a2']);
  expect(by({ name: ['('] }, '&all=1')).toEqual([]);
  expect(by({ id: ['a1'] })).toEqual(['a1']);
  expect(by({ label: ['tier'] })).toEqual(['a1']);
  expect(by({ label: ['tier=front', 'other'] })).toEqual([]);
  expect(by({ exited: ['3'] }, '&all=1')).toEqual(['a2']);
  expect(by({ exited: ['0'] }, '&all=1')).toEqual([]);
  expect(by({ health: ['healthy'] })).toEqual(['b3']);
  expect(by({ health: ['none'] }, '&all=1')).toEqual(['a2', 'a1']);
  expect(by({ before: ['a2'] }, '&all=1')).toEqual(['a1']);
  expect(by({ since: ['a1'] }, '&all=1')).toEqual(['b3', 'a2']);
  expect(by({ ancestor: ['img'] }, '&all=1')).toEqual(['a2']);
  expect(by({ ancestor: ['nothing'] }, '&all=1')).toEqual([]);
  expect([by({ volume: ['data'] }), by({ volume: ['/data'] }), by({ volume: ['/x'] })]).toEqual([['a1'], ['a1'], []]);
  expect([by({ publish: ['80'] }), by({ publish: ['70-90/tcp'] }), by({ publish: ['80/udp'] })]).toEqual([
    ['a1'],
    ['a1'],
    [],
  ]);
  expect(by({ expose: ['53/udp'] }, '&all=1')).toEqual(['a2']);
  expect([by({ 'is-task': ['true'] }), by({ 'is-task': ['false'] })]).toEqual([[], ['b3', 'a1']]);
});

test('a filter that cannot be used is refused in the words of Docker', () => {
  expect(() => by({ status: ['bad'] })).toThrow("invalid filter 'status=bad'");
  expect(() => by({ health: ['bad'] })).toThrow('unrecognized filter value for health: bad');
  expect(() => by({ exited: ['x'] })).toThrow(`invalid filter 'exited=x': strconv.Atoi: parsing "x": invalid syntax`);
  expect(() => by({ publish: ['x'] })).toThrow('error while looking up for publish x');
  expect(() => by({ publish: ['1-99999999'] })).toThrow('error while looking up for publish');
  expect(() => by({ 'is-task': ['x'] })).toThrow("invalid filter 'is-task=[x]'");
  expect(() => by({ colour: ['x'] })).toThrow("invalid filter 'colour'");
});

test('a pattern is found by the rules of Go, at once, and one that takes too long is refused', () => {
  expect(foundIn('^a', ['ab', 'b'])).toEqual([true, false]);
  expect(foundIn('(a+)+$', [`${'a'.repeat(60)}b`])).toEqual([false]);
  expect(foundIn('(?i)^WEB\\z', ['web', 'web2'])).toEqual([true, false]);
  expect(foundIn('[', ['a'])).toEqual([false]);
  const endless = Array.from({ length: 100_000 }, () => 'a'.repeat(63));
  expect(() => foundIn(`${'((a{100}){10})'.repeat(30)}$`, endless)).toThrow('takes too long');
});

test('containers are found by id, name and the beginning of an id', () => {
  const web = containerRecord({ id: `aa11${'0'.repeat(60)}`, engineName: 'web' });
  const db = containerRecord({ id: `aa22${'0'.repeat(60)}`, engineName: 'aa11' });
  const all = [web, db];
  const store = {
    all: () => all,
    get: (id: string) => all.find((record) => record.id === id),
    ids: () => new Set(all.map(({ id }) => id)),
    damaged: () => undefined,
  };
  const found = (text: string) => findContainer(store, text).engineName;
  expect([found('web'), found('/web'), found(web.id), found('aa2'), found('aa11')]).toEqual([
    'web',
    'web',
    'web',
    'aa11',
    'aa11',
  ]);
  expect(() => found('aa')).toThrow('multiple IDs found with provided prefix: aa');
  expect(() => found('nope')).toThrow('No such container: nope');
});

test('networks are found by id, name and the beginning of an id', () => {
  const networks = [
    { id: 'ab1', name: 'back' },
    { id: 'ab2', name: 'same' },
    { id: 'c3', name: 'same' },
  ];
  expect([findNetwork(networks, 'back').id, findNetwork(networks, 'c').id, findNetwork(networks, 'ab2').id]).toEqual([
    'ab1',
    'c3',
    'ab2',
  ]);
  expect(() => findNetwork(networks, 'ab')).toThrow('network ab is ambiguous (2 matches found based on ID prefix)');
  expect(() => findNetwork(networks, 'same')).toThrow('network same is ambiguous (2 matches found based on name)');
  expect(() => findNetwork(networks, 'x')).toThrow('network x not found');
});

test('images are found by name and id, and what is missing is called by its whole name', () => {
  const id = `abc${'0'.repeat(61)}`;
  const image = { id } as NonNullable<ReturnType<GraphIndex['get']>>;
  const none = new TsdError('TSD_NO_SUCH_RESOURCE', 'no such id');
  const known = {
    images: {
      get: (wanted: string) => (wanted === id ? image : undefined),
      lookup: (prefix: string) => {
        if (id.startsWith(prefix)) return image;
        throw none;
      },
      damaged: () => undefined,
    },
    repositories: namesAsRead({ busybox: { latest: id, '1': id } }),
  };
  for (const name of ['busybox', 'docker.io/library/busybox:1', id, `sha256:${id}`, 'abc', 'sha256:abc'])
    expect(findImageRecord(known, name).id).toBe(id);
  const missing = { nope: 'nope:latest', 'a.example/x:2': 'a.example/x:2', 'sha256:ffff': 'sha256:ffff' };
  for (const [name, said] of Object.entries(missing))
    expect(() => findImageRecord(known, name)).toThrow(`No such image: ${said}`);
});
