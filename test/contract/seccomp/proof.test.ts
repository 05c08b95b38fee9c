/** Our filters against libseccomp's, and our numbers against the kernel's headers. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DEFAULT_CAPABILITIES } from '../../../src/model/capabilities.ts';
import { ACTIONS, ENOSYS, EPERM } from '../../../src/model/seccomp/actions.ts';
import { type Architecture, isIntArgument, type Machine, machineOf } from '../../../src/model/seccomp/architectures.ts';
import { DEFAULT_PROFILE } from '../../../src/model/seccomp/default-profile.ts';
import { compileFilter } from '../../../src/model/seccomp/filter.ts';
import { profileSchema, type SeccompProfile } from '../../../src/model/seccomp/profile.ts';
import { applies, type FilterContext, rulesOf } from '../../../src/model/seccomp/rules.ts';
import { runFilter, type SystemCall } from '../../support/bpf.ts';
import { filterOfLibrary, numberOn } from '../../support/libseccomp.ts';

const machine = (arch: 'x64' | 'arm64'): Machine => {
  const found = machineOf(arch);
  if (found === null) throw new Error(arch);
  return found;
};
const X32_BIT = 0x40000000;
const INCLUDES: Readonly<Record<string, { readonly directory: string; readonly header: string }>> = {
  SCMP_ARCH_X86_64: { directory: 'x86_64-linux-gnu', header: 'unistd_64.h' },
  SCMP_ARCH_X86: { directory: 'i386-linux-gnu', header: 'unistd_32.h' },
  SCMP_ARCH_X32: { directory: 'x86_64-linux-gnu', header: 'unistd_x32.h' },
  SCMP_ARCH_AARCH64: { directory: 'aarch64-linux-gnu', header: 'unistd_64.h' },
  SCMP_ARCH_ARM: { directory: 'arm-linux-gnueabi', header: 'unistd-eabi.h' },
};
/** Of kernels that came after the headers and the library of this Debian. */
const NEWER = ['open_tree_attr', 'file_getattr', 'file_setattr'];
const architectures = (['x64', 'arm64'] as const).flatMap((arch) => [machine(arch).native, ...machine(arch).others]);

describe('numbers', () => {
  test.each(architectures)('$name: equal to the kernel headers', ({ name, numbers }) => {
    const { directory = '', header = '' } = INCLUDES[name] ?? {};
    const source = `#include "/usr/include/${directory}/asm/${header}"\n`;
    const flags = [`-I/usr/include/${directory}`, '-D__X32_SYSCALL_BIT=0', '-D__NR_SYSCALL_BASE=0'];
    const text = execFileSync('cc', ['-E', '-dM', '-x', 'c', ...flags, '-'], { input: source, encoding: 'utf8' });
    const found = [...text.matchAll(/^#define __NR_([a-z0-9_]+) \(?(?:__\w+ \+ )?(\d+)\)?$/gm)].map(
      ([, call = '', number]) => [call, Number(number)] as const,
    );
    expect(found.length).toBeGreaterThan(300);
    for (const [call, number] of found) expect([call, numbers.get(call)]).toEqual([call, number]);
  });

  test.each(architectures)('$name: equal to libseccomp', ({ name, numbers, x32 }) => {
    for (const [call, number] of numbers) {
      if (NEWER.includes(call) || call === 'usr26' || call === 'usr32' || call === 'get_tls') continue;
      const theirs = numberOn(name, call);
      // The library knows some by one of two names only.
      if (theirs >= 0) expect([call, theirs]).toEqual([call, number + (x32 ? X32_BIT : 0)]);
    }
  });
});

const docker = profileSchema.parse(
  JSON.parse(readFileSync(new URL('../../fixtures/seccomp/docker-default.json', import.meta.url), 'utf8')),
);
const ours = profileSchema.parse(DEFAULT_PROFILE);

const SAMPLES: readonly bigint[] = [
  0n,
  1n,
  2n,
  8n,
  10n,
  16n,
  17n,
  20n,
  21n,
  22n,
  30n,
  33n,
  37n,
  38n,
  39n,
  40n,
  41n,
  44n,
  0x1000n,
  0x20000n,
  0x20008n,
  0x40000n,
  0x10000000n,
  0x7e020000n,
  0x7e020001n,
  0x02000000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
];
const HIGH = [0n, 1n << 32n, 0xffffffffn << 32n];

const bigArguments = SAMPLES.flatMap((low) => HIGH.map((high) => low | high));

function* callsOf({ audit, x32, numbers }: Architecture): Generator<SystemCall> {
  const highest = Math.max(...numbers.values());
  const base = x32 ? X32_BIT : 0;
  for (let number = 0; number < 700; number++) yield { audit, number: base + number };
  for (const number of [highest, highest + 1, 0xf0000, 0xf0001, 0xf0002, 0xf0005, 0xf0006, 0x3fffffff])
    yield { audit, number: base + number };
  for (const name of ['socket', 'personality', 'clone', 'ioctl', 'socketcall', 'ipc', 'read']) {
    const number = numbers.get(name);
    if (number === undefined) continue;
    for (const value of bigArguments) {
      yield { audit, number: base + number, args: [value, value] };
      yield { audit, number: base + number, args: [value] };
      yield { audit, number: base + number, args: [1n, value] };
    }
  }
}

const nameOf = ({ numbers, x32 }: Architecture, number: number): string => {
  const wanted = number - (x32 ? X32_BIT : 0);
  return [...numbers].find(([, value]) => value === wanted)?.[0] ?? `${wanted}`;
};

/** The highest number that a rule names, as runc finds it: above it a call is unknown. */
function newestOf(profile: SeccompProfile, context: FilterContext, { name, x32 }: Architecture): number {
  const named = (profile.syscalls ?? []).filter((rule) => applies(rule, context)).flatMap(({ names }) => names ?? []);
  const base = x32 ? X32_BIT : 0;
  return Math.max(...named.map((call) => numberOn(name, call) - base).filter((number) => number < 0xf0000));
}

/** breakpoint, cacheflush, set_tls: named by rules, and far above all others. */
const ARM_PRIVATE = [0xf0001, 0xf0002, 0xf0005];

const sets: Readonly<Record<string, readonly string[]>> = {
  'the default capabilities': DEFAULT_CAPABILITIES,
  none: [],
  SYS_ADMIN: [...DEFAULT_CAPABILITIES, 'SYS_ADMIN'],
  'SYS_PTRACE, BPF, SYS_TIME': ['SYS_PTRACE', 'BPF', 'SYS_TIME'],
};

const cases = (['x64', 'arm64'] as const).flatMap((arch) =>
  Object.keys(sets).flatMap((caps) => (['docker', 'ours'] as const).map((profile) => ({ arch, caps, profile }))),
);

/** Where our filter does not answer as the library's: the words of both. */
function deviations(
  profile: SeccompProfile,
  context: FilterContext,
  all: readonly Architecture[],
): { readonly call: SystemCall; readonly name: string; readonly ours: number; readonly theirs: number }[] {
  const program = compileFilter(rulesOf(profile, context));
  expect(program.length / 8).toBeLessThanOrEqual(4096);
  const rules = (profile.syscalls ?? []).filter((rule) => applies(rule, context));
  const library = filterOfLibrary(
    profile,
    rules,
    all.map(({ name }) => name),
  );
  return all.flatMap((architecture) => {
    const { name } = architecture;
    const newest = newestOf(profile, context, architecture) + (architecture.x32 ? X32_BIT : 0);
    return [...callsOf(architecture)].flatMap((call) => {
      const isKnown = call.number <= newest || (name === 'SCMP_ARCH_ARM' && ARM_PRIVATE.includes(call.number));
      const answers = {
        ours: runFilter(program, call),
        theirs: isKnown ? runFilter(library, call) : ACTIONS.SCMP_ACT_ERRNO + ENOSYS,
      };
      return answers.ours === answers.theirs ? [] : [{ call, name: nameOf(architecture, call.number), ...answers }];
    });
  });
}

const hasHighWord = ({ args = [] }: SystemCall): boolean => args.some((value) => value >> 32n !== 0n);

describe('filters', () => {
  test.each(cases)(
    '$profile on $arch with $caps: equal to libseccomp, except for the upper halves of int arguments',
    (one) => {
      const { native, others, name } = machine(one.arch);
      const context = { machine: machine(one.arch), capabilities: new Set(sets[one.caps]), kernel: [6, 12] } as const;
      expect(name).toBe(one.arch === 'x64' ? 'amd64' : 'arm64');
      const found = deviations(one.profile === 'docker' ? docker : ours, context, [native, ...others]);
      const unexpected = found.filter(({ call, name }) => !(hasHighWord(call) && isIntArgument(name, 0)));
      expect(unexpected.slice(0, 5)).toEqual([]);
      // The kernel would take those for another call than the one that the library looked at.
      expect([...new Set(found.map(({ name }) => name))].sort()).toEqual(['personality', 'socket']);
      const vsock = found.find(({ name, call }) => name === 'socket' && call.args?.[0] === ((1n << 32n) | 40n));
      expect(vsock).toMatchObject({ ours: ACTIONS.SCMP_ACT_ERRNO + EPERM, theirs: ACTIONS.SCMP_ACT_ALLOW });
    },
  );
});
