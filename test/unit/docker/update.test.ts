/** Bodies of POST /containers/{id}/update: the changed specification, and Docker's words for what cannot be changed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { specOfCreate } from '../../../src/docker/create/container-spec.ts';
import { updateOf } from '../../../src/docker/create/update.ts';
import { DockerError } from '../../../src/docker/wire/docker-error.ts';
import { createContext } from '../../support/docker-create.ts';
import { dockerRun } from '../../support/docker-run-body.ts';

const MIB = 2 ** 20;

/** What `docker update` of Docker 26.1 sends. */
const CLIENT = {
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: null,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: null,
  PidsLimit: null,
  Ulimits: null,
  RestartPolicy: { Name: '', MaximumRetryCount: 0 },
};

function update(hostConfig: object, body: object, minor = 45) {
  const { spec } = specOfCreate(dockerRun({}, hostConfig), createContext());
  return { before: spec, ...updateOf({ ...CLIENT, ...body }, { id: 'ID', spec, hostConfig, cpus: 2, minor }) };
}

function answerTo(hostConfig: object, body: object): string {
  try {
    update(hostConfig, body);
  } catch (error) {
    if (error instanceof DockerError) return `${error.status} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

const LIMITED = { Memory: 64 * MIB, PidsLimit: 5, CpuShares: 100, Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }] };

test('nothing asked for changes nothing', () => {
  const found = update(LIMITED, {});
  expect(found.spec).toEqual(found.before);
  expect(found).toMatchObject({ hostConfig: {}, warnings: [] });
});

test.each<[string, object, object, object]>([
  ['memory', LIMITED, { Memory: 100 * MIB }, { memoryBytes: 100 * MIB, memorySwapBytes: null, pids: 5 }],
  ['memory and swap', {}, { Memory: 64 * MIB, MemorySwap: -1 }, { memoryBytes: 64 * MIB, memorySwapBytes: -1 }],
  ['swap alone', LIMITED, { MemorySwap: 256 * MIB }, { memoryBytes: 64 * MIB, memorySwapBytes: 256 * MIB }],
  ['CPUs', LIMITED, { NanoCpus: 5e8, CpuShares: 7 }, { cpus: 0.5, cpuShares: 7 }],
  ['a quota of the period that there is', { CpuQuota: 50_000, CpuPeriod: 50_000 }, { CpuQuota: 25_000 }, { cpus: 0.5 }],
  ['processes', LIMITED, { PidsLimit: 9 }, { pids: 9, memoryBytes: 64 * MIB }],
  ['processes without a limit', LIMITED, { PidsLimit: -1 }, { pids: null }],
  ['CPUs by number', {}, { CpusetCpus: '1' }, { cpuset: '1' }],
])('%s', (_title, hostConfig, body, resources) => {
  const found = update(hostConfig, body);
  expect(found.spec.resources).toMatchObject(resources);
  expect(found.spec.resources.ulimits).toEqual(found.before.resources.ulimits);
  expect(found.hostConfig).toEqual(body);
});

test('a client that is older than the limit of processes does not change it', () => {
  expect(update(LIMITED, { PidsLimit: 0 }, 39).spec.resources.pids).toBe(5);
});

test('a restart policy', () => {
  const policy = { Name: 'on-failure', MaximumRetryCount: 2 };
  const found = update({}, { RestartPolicy: policy });
  expect(found.spec.restart).toMatchObject({ policy: 'on-failure', max: 2, backoff: { preset: 'docker' } });
  expect(found.hostConfig).toEqual({ RestartPolicy: policy });
  const none = update({ RestartPolicy: { Name: 'always' } }, { RestartPolicy: { Name: 'no' } });
  expect(none.spec.restart.policy).toBe('no');
});

test('what has no effect is said', () => {
  expect(update({}, { BlkioWeight: 500 }).warnings).toEqual([
    'Limits of block I/O are not supported. They are discarded.',
  ]);
});

const CONFLICT = '409 Cannot update container ID: ';
test.each<[string, object, object, string]>([
  ['little memory', {}, { Memory: 5 }, '400 Minimum memory limit allowed is 6MB'],
  [
    'memory above the swap',
    { Memory: 64 * MIB },
    { Memory: 256 * MIB },
    `${CONFLICT}Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time`,
  ],
  [
    'less swap than memory',
    { Memory: 64 * MIB },
    { MemorySwap: 10 * MIB },
    '400 Minimum memoryswap limit should be larger than memory limit, see usage',
  ],
  [
    'CPUs where a period is',
    { CpuPeriod: 100_000 },
    { NanoCpus: 1e9 },
    `${CONFLICT}Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set`,
  ],
  [
    'a quota where CPUs are',
    { NanoCpus: 1e9 },
    { CpuQuota: 100_000 },
    `${CONFLICT}Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set`,
  ],
  [
    'restarts of what goes',
    { AutoRemove: true },
    { RestartPolicy: { Name: 'always' } },
    `${CONFLICT}Restart policy cannot be updated because AutoRemove is enabled for the container`,
  ],
  [
    'an unknown policy',
    {},
    { RestartPolicy: { Name: 'foo' } },
    "400 invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
  ],
  [
    'CPUs that are not there',
    {},
    { CpusetCpus: '99' },
    '400 Requested CPUs are not available - requested 99, available: 0-1',
  ],
])('%s is refused', (_title, hostConfig, body, message) => {
  expect(answerTo(hostConfig, body)).toBe(message);
});

test('whatever is sent, the answer is a change or an error of a client', () => {
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(CLIENT)), fc.jsonValue(), (member, value) => {
      answerTo(LIMITED, { [member]: value });
    }),
    { numRuns: 500 },
  );
});
