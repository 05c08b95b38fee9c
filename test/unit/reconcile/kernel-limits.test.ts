import { expect, test } from 'vitest';
import { readSysinfo } from '../../../src/ffi/host/sysinfo.ts';
import { keptLimits, limitNotes, limitSupport } from '../../../src/reconcile/kernel-limits.ts';
import { abilityWarnings } from '../../../src/supervisor/doctor/host-abilities.ts';
import { declare } from '../../support/declare.ts';
import { DEBIAN_13, recordedFiles, VERSION_1 } from '../../support/host-files.ts';

/** Without limits of swap and of CPU time. */
const OLD = readSysinfo(recordedFiles(VERSION_1));
const { resources: CONTAINERS } = declare({
  shop: {
    containers: {
      web: { image: 'busybox', resources: { memory: '64MiB', cpus: 0.5 } },
      db: { image: 'busybox', resources: { memory: '64MiB', memorySwap: '128MiB' } },
      free: { image: 'busybox' },
    },
  },
});
const LIMITS = { memoryBytes: 4096, memorySwapBytes: 8192, cpus: 1, cpuShares: null, cpuset: null, pids: 5 };

test('a kernel that has all limits gives no cause for a word', () => {
  const whole = limitSupport(readSysinfo(recordedFiles(DEBIAN_13)), true);
  expect(limitNotes(CONTAINERS, whole)).toEqual([]);
  expect(keptLimits(LIMITS, whole.discarded)).toBe(LIMITS);
});

test('a limit that the kernel lacks is not discarded in silence', () => {
  const strict = limitSupport(OLD, false);
  expect([...strict.lacking]).toEqual(['memorySwap', 'cpus']);
  expect(keptLimits(LIMITS, strict.discarded)).toBe(LIMITS);
  expect(limitNotes(CONTAINERS, strict).map(({ message }) => message)).toEqual([
    'web: this kernel does not support swap limits; its memory is limited without swap',
  ]);
  expect(abilityWarnings(OLD, strict)).toEqual([
    'no swap limit support: a container with resources.memorySwap is not started',
    'no cpu quota limit support: a container with resources.cpus is not started',
    'IPv4 forwarding is off: containers do not reach other hosts, and other hosts not their ports',
  ]);
});

test('--discard-limits leaves it out with a warning', () => {
  const lenient = limitSupport(OLD, true);
  expect(keptLimits(LIMITS, lenient.discarded)).toEqual({ ...LIMITS, memorySwapBytes: null, cpus: null });
  expect(limitNotes(CONTAINERS, lenient)).toMatchObject([
    { message: 'web: this kernel does not support the limit resources.cpus; it is discarded', warning: true },
    { message: 'web: this kernel does not support swap limits; its memory is limited without swap' },
    { message: 'db: this kernel does not support the limit resources.memorySwap; it is discarded' },
  ]);
  expect(abilityWarnings(OLD, lenient)[0]).toBe('no swap limit support: resources.memorySwap is discarded');
});

test('swap is not limited where memory is not', () => {
  const lenient = { lacking: new Set(['memory'] as const), discarded: new Set(['memory'] as const) };
  expect(keptLimits(LIMITS, lenient.discarded)).toMatchObject({ memoryBytes: null, memorySwapBytes: null });
});
