import { expect, test } from 'vitest';
import type { LimitName } from '../../../src/ffi/host/sysinfo.ts';
import { containerSchema } from '../../../src/model/kinds/container.ts';
import { cpuNumbers, type HostFacts } from '../../../src/reconcile/host-facts.ts';
import { impossibleLimit, missingHeadroom } from '../../../src/reconcile/limits.ts';

const HOST: HostFacts = {
  memoryBytes: 2 ** 31,
  availableBytes: 2 ** 30,
  cpus: new Set([0, 1]),
  pids: 32_768,
  diskFreeBytes: 2 ** 30,
  architecture: 'amd64',
  lacking: new Set(),
  runs: (architecture) => architecture === 'amd64',
};

const limits = (resources: object) => impossibleLimit(containerSchema.parse({ image: 'app', resources }), HOST);

test('limits that the host can satisfy are accepted', () => {
  expect(limits({})).toBeNull();
  expect(limits({ memory: '2GiB', cpus: 2, cpuset: '0-1', pids: 32_768 })).toBeNull();
});

test.each([
  [{ memory: '3GiB' }, 'resources.memory', 'memory of 3072MiB is more than this host has (2048MiB)'],
  [{ cpus: 2.5 }, 'resources.cpus', '2.5 cpus are more than this host has (2)'],
  [{ cpuset: '0,2-3' }, 'resources.cpuset', 'cpuset 0,2-3: this host has no CPU 2, 3'],
  [{ pids: 40_000 }, 'resources.pids', 'pids 40000 is more than this host allows in all (32768)'],
])('%j is more than the host has', (resources, field, message) => {
  expect(limits(resources)).toEqual({ code: 'TSD_LIMIT_IMPOSSIBLE', field, message });
});

test('a limit that this kernel lacks is refused before anything is stopped', () => {
  const spec = containerSchema.parse({ image: 'app', resources: { memory: '1GiB', pids: 5 } });
  const lacking = (...limits: LimitName[]) => impossibleLimit(spec, { ...HOST, lacking: new Set(limits) });
  expect(lacking('pids')).toEqual({
    code: 'TSD_UNSUPPORTED_HOST',
    field: 'resources.pids',
    message: 'this kernel does not support the limit resources.pids',
  });
  expect(lacking('cpus')).toBeNull();
});

test('disk and memory must leave room for a start', () => {
  expect(missingHeadroom(HOST)).toBeNull();
  expect(missingHeadroom({ ...HOST, diskFreeBytes: 5 * 2 ** 20 })?.message).toBe(
    'only 5MiB are free on the disk, and a start needs 8MiB',
  );
  expect(missingHeadroom({ ...HOST, availableBytes: 2 ** 20 })?.message).toBe(
    'only 1MiB of memory are available, and a start needs 16MiB',
  );
});

test('CPU lists have the format of the kernel', () => {
  expect([...cpuNumbers('0-2,5\n')]).toEqual([0, 1, 2, 5]);
  expect([...cpuNumbers('')]).toEqual([]);
});
