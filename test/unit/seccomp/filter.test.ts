/** The generator of filters: its programs answer what its rules say, and the default is no weaker than Docker's. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CAPABILITIES, DEFAULT_CAPABILITIES } from '../../../src/model/capabilities.ts';
import { ACTIONS, compareStrictness, ENOSYS, EPERM } from '../../../src/model/seccomp/actions.ts';
import { type Architecture, isIntArgument, type Machine, machineOf } from '../../../src/model/seccomp/architectures.ts';
import { DEFAULT_PROFILE } from '../../../src/model/seccomp/default-profile.ts';
import { compileFilter } from '../../../src/model/seccomp/filter.ts';
import { profileSchema, type SeccompProfile, type WrittenProfile } from '../../../src/model/seccomp/profile.ts';
import { answerOf, type FilterContext, rulesOf, UNLISTED_ARCHITECTURE } from '../../../src/model/seccomp/rules.ts';
import { runFilter } from '../../support/bpf.ts';

const machine = (arch: 'x64' | 'arm64'): Machine => {
  const found = machineOf(arch);
  if (found === null) throw new Error(arch);
  return found;
};
const context = (arch: 'x64' | 'arm64', capabilities: readonly string[]): FilterContext => ({
  machine: machine(arch),
  capabilities: new Set(capabilities),
  kernel: [6, 12],
});
const base = ({ x32 }: Architecture): number => (x32 ? 0x40000000 : 0);
const ours = profileSchema.parse(DEFAULT_PROFILE);
const docker = profileSchema.parse(
  JSON.parse(readFileSync(new URL('../../fixtures/seccomp/docker-default.json', import.meta.url), 'utf8')),
);
const VALUES = [0n, 1n, 5n, 8n, 21n, 30n, 33n, 38n, 40n, 41n, 0x10000000n, 0x7e020000n, 0xffffffffn, (1n << 32n) | 40n];
const EPERM_WORD = ACTIONS.SCMP_ACT_ERRNO + EPERM;
const ENOSYS_WORD = ACTIONS.SCMP_ACT_ERRNO + ENOSYS;

describe('the default filter', () => {
  test.each(['x64', 'arm64'] as const)("%s: never allows a call that Docker's refuses", (arch) => {
    for (const capabilities of [DEFAULT_CAPABILITIES, [], CAPABILITIES, ...CAPABILITIES.map((one) => [one])]) {
      const [mine, theirs] = [ours, docker].map((profile) => rulesOf(profile, context(arch, capabilities)));
      expect(mine?.map(({ architecture }) => architecture.name)).toEqual(
        theirs?.map(({ architecture }) => architecture.name),
      );
      mine?.forEach((rules, index) => {
        const other = theirs?.[index];
        for (let number = 0; other && number < 600; number++) {
          for (const value of VALUES) {
            const [a, b] = [answerOf(rules, number, [value, value]), answerOf(other, number, [value, value])];
            if (compareStrictness(a, b) > 0) throw new Error(`${rules.architecture.name} ${number}(${value})`);
          }
        }
      });
    }
  });

  test('names calls that some architecture has, and tests only arguments of 32 bits', () => {
    const architectures = (['x64', 'arm64'] as const).map(machine).flatMap(({ native, others }) => [native, ...others]);
    const rules = ours.syscalls ?? [];
    const named = rules.flatMap(({ name, names }) => [...(name == null ? [] : [name]), ...(names ?? [])]);
    expect(named.filter((name) => !architectures.some(({ numbers }) => numbers.has(name)))).toEqual([]);
    const tested = rules.flatMap(({ names, args }) =>
      (names ?? []).flatMap((name) => (args ?? []).map(({ index }) => ({ name, index }))),
    );
    expect(tested).not.toEqual([]);
    // A rule on an argument that the kernel takes as 64 bits would be listed here.
    expect(tested.filter(({ name, index }) => !isIntArgument(name, index))).toEqual([]);
  });

  test('refuses these calls to root of a default container', () => {
    const [rules] = rulesOf(ours, context('x64', DEFAULT_CAPABILITIES));
    if (rules === undefined) throw new Error('no rules');
    const { numbers } = rules.architecture;
    const answer = (name: string, ...args: bigint[]) => answerOf(rules, numbers.get(name) ?? -1, args);
    const refused =
      'unshare mount umount2 pivot_root setns fsopen open_tree move_mount mount_setattr keyctl add_key request_key bpf ' +
      'perf_event_open userfaultfd kexec_load init_module finit_module open_by_handle_at io_uring_setup io_uring_enter ' +
      'io_uring_register move_pages migrate_pages mbind get_mempolicy syslog acct swapon reboot quotactl kcmp ' +
      'sethostname iopl ioperm settimeofday clock_settime lookup_dcookie uselib ustat sysfs fanotify_init ' +
      'process_madvise pidfd_getfd lsm_list_modules';
    for (const name of refused.split(' ')) {
      expect([name, numbers.has(name)]).toEqual([name, true]);
      expect([name, answer(name)]).toEqual([name, EPERM_WORD]);
    }
    for (const family of [21n, 30n, 33n, 38n, 40n, (1n << 32n) | 40n])
      expect(answer('socket', family)).toBe(EPERM_WORD);
    for (const family of [1n, 2n, 10n, 16n, 17n]) expect(answer('socket', family)).toBe(ACTIONS.SCMP_ACT_ALLOW);
    expect(answer('clone', 0x10000000n)).toBe(EPERM_WORD);
    expect(answer('clone', 0x3d0f00n)).toBe(ACTIONS.SCMP_ACT_ALLOW);
    expect(answer('clone3')).toBe(ENOSYS_WORD);
    expect(answerOf(rules, 467, [])).toBe(ENOSYS_WORD);
    expect(answer('ptrace')).toBe(ACTIONS.SCMP_ACT_ALLOW);
  });

  test('follows the capabilities', () => {
    const [rules] = rulesOf(ours, context('x64', [...DEFAULT_CAPABILITIES, 'SYS_ADMIN']));
    if (rules === undefined) throw new Error('no rules');
    const answer = (name: string) => answerOf(rules, rules.architecture.numbers.get(name) ?? -1, [0x10000000n]);
    for (const name of ['mount', 'unshare', 'setns', 'clone', 'clone3', 'bpf']) {
      expect([name, answer(name)]).toEqual([name, ACTIONS.SCMP_ACT_ALLOW]);
    }
    expect(answer('reboot')).toBe(EPERM_WORD);
  });
});

const NAMES = ['read', 'write', 'socket', 'clone', 'personality', 'ioctl', 'mmap', 'bpf', 'accept', 'semget', 'mseal'];

const profiles: fc.Arbitrary<SeccompProfile> = fc
  .record({
    defaultAction: fc.constantFrom('SCMP_ACT_ERRNO', 'SCMP_ACT_ALLOW', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_LOG'),
    architectures: fc.subarray(['SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_ARM', 'SCMP_ARCH_MIPS']),
    syscalls: fc.array(
      fc.record({
        names: fc.subarray(NAMES, { minLength: 1 }),
        action: fc.constantFrom('SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_TRAP', 'SCMP_ACT_KILL'),
        errnoRet: fc.integer({ min: 0, max: 200 }),
        args: fc.array(
          fc.record({
            index: fc.integer({ min: 0, max: 2 }),
            value: fc.constantFrom(0, 1, 40, 0xffffffff, 2 ** 32, 2 ** 32 + 40, 2 ** 40),
            valueTwo: fc.constantFrom(0, 1, 8, 2 ** 33),
            op: fc.constantFrom(
              ...(['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'] as const).map((op) => `SCMP_CMP_${op}` as const),
            ),
          }),
          { maxLength: 3 },
        ),
      }),
      { maxLength: 8 },
    ),
  })
  .map((written) => profileSchema.parse(written satisfies WrittenProfile));

const words = fc.constantFrom(0n, 1n, 8n, 39n, 40n, 41n, 0xffffffffn, 1n << 32n, (1n << 32n) | 40n, 1n << 40n);

describe('programs', () => {
  test('return the result of the rules, for any profile', () => {
    fc.assert(
      fc.property(
        profiles,
        fc.constantFrom('x64' as const, 'arm64' as const),
        fc.array(fc.tuple(fc.integer({ min: 0, max: 480 }), fc.array(words, { minLength: 3, maxLength: 3 })), {
          minLength: 40,
          maxLength: 40,
        }),
        (profile, arch, calls) => {
          const all = rulesOf(profile, context(arch, []));
          const program = compileFilter(all);
          for (const rules of all) {
            const { audit, numbers } = rules.architecture;
            const named = NAMES.flatMap((name) => numbers.get(name) ?? []);
            const picked = calls.map(([number, args]) => [named[number % named.length] ?? number, args] as const);
            for (const [number, args] of [...calls, ...picked]) {
              const got = runFilter(program, { audit, number: base(rules.architecture) + number, args });
              if (got !== answerOf(rules, number, args))
                throw new Error(`${rules.architecture.name} ${number}(${args})`);
            }
          }
        },
      ),
    );
  });

  test('kill an unlisted calling convention, x32 too', () => {
    const program = compileFilter(
      rulesOf(profileSchema.parse({ defaultAction: 'SCMP_ACT_ALLOW' }), context('x64', [])),
    );
    const native = machine('x64').native.audit;
    expect(runFilter(program, { audit: native, number: 39 })).toBe(ACTIONS.SCMP_ACT_ALLOW);
    expect(runFilter(program, { audit: native, number: 0x40000000 + 39 })).toBe(UNLISTED_ARCHITECTURE);
    expect(runFilter(program, { audit: native, number: -1 })).toBe(UNLISTED_ARCHITECTURE);
    expect(runFilter(program, { audit: 0x40000003, number: 20 })).toBe(UNLISTED_ARCHITECTURE);
    expect(runFilter(program, { audit: 0x80000016, number: 20 })).toBe(UNLISTED_ARCHITECTURE);
  });

  test('apply the strictest of several rules', () => {
    const profile = profileSchema.parse({
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [
        { names: ['socket'], action: 'SCMP_ACT_ALLOW' },
        {
          names: ['socket'],
          action: 'SCMP_ACT_ERRNO',
          errnoRet: 97,
          args: [{ index: 0, value: 40, op: 'SCMP_CMP_EQ' }],
        },
        { names: ['bpf'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: 1, op: 'SCMP_CMP_EQ' }] },
        { names: ['bpf'], action: 'SCMP_ACT_KILL' },
      ],
    });
    const program = compileFilter(rulesOf(profile, context('x64', [])));
    const answer = (number: number, ...args: bigint[]) => runFilter(program, { audit: 0xc000003e, number, args });
    expect(answer(41, 40n)).toBe(ACTIONS.SCMP_ACT_ERRNO + 97);
    expect(answer(41, 2n)).toBe(ACTIONS.SCMP_ACT_ALLOW);
    expect(answer(321, 1n)).toBe(ACTIONS.SCMP_ACT_KILL_THREAD);
  });

  test('are refused when they exceed the instruction limit of the kernel', () => {
    const args = Array.from({ length: 3000 }, (_, value) => ({ index: 1, value, op: 'SCMP_CMP_EQ' as const }));
    const syscalls = [{ names: ['read'], action: 'SCMP_ACT_ALLOW' as const, args }];
    const profile = profileSchema.parse({ defaultAction: 'SCMP_ACT_ERRNO', syscalls });
    expect(() => compileFilter(rulesOf(profile, context('x64', [])))).toThrow(/the kernel takes 4096/);
  });
});
