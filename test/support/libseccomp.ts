/** Filters as libseccomp makes them, for comparison. */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { addressOf, callNumber, openLibrary } from '../../src/ffi/call/foreign.ts';
import { memoryFile } from '../../src/ffi/process/processes.ts';
import { actionWord, EPERM } from '../../src/model/seccomp/actions.ts';
import { operatorOf, type ProfileRule, type SeccompProfile } from '../../src/model/seccomp/profile.ts';

const LIBRARY = 'libseccomp';
/** enum scmp_compare, seccomp.h */
const OPERATORS = { NE: 1, LT: 2, LE: 3, EQ: 4, GE: 5, GT: 6, MASKED_EQ: 7 } as const;
const SCMP_FLTATR_CTL_OPTIMIZE = 8;
const BINARY_TREE = 2;
const NATIVE = 0;
const UNKNOWN_NAME = -1;
/** SCMP_ARCH_*, seccomp.h */
const TOKENS: Readonly<Record<string, number>> = {
  SCMP_ARCH_X86: 0x40000003,
  SCMP_ARCH_X86_64: 0xc000003e,
  SCMP_ARCH_X32: 0x4000003e,
  SCMP_ARCH_ARM: 0x40000028,
  SCMP_ARCH_AARCH64: 0xc00000b7,
};

function call(name: string, ...args: (number | string | Buffer)[]): number {
  openLibrary(LIBRARY, 'libseccomp.so.2');
  return callNumber(LIBRARY, name, args);
}

/** Negative for a call that the architecture lacks. */
export function numberOn(architecture: string, name: string): number {
  return call('seccomp_syscall_resolve_name_arch', TOKENS[architecture] ?? 0, name) | 0;
}

function argumentsOf(rule: ProfileRule): Buffer {
  const args = rule.args ?? [];
  const bytes = Buffer.alloc(Math.max(1, args.length) * 24);
  args.forEach((argument, index) => {
    bytes.writeUInt32LE(argument.index, index * 24);
    bytes.writeUInt32LE(OPERATORS[operatorOf(argument)], index * 24 + 4);
    bytes.writeBigUInt64LE(BigInt(argument.value), index * 24 + 8);
    bytes.writeBigUInt64LE(BigInt(argument.valueTwo ?? 0), index * 24 + 16);
  });
  return bytes;
}

function exported(filter: number): Buffer {
  const fd = memoryFile('filter', Buffer.alloc(0));
  try {
    const result = call('seccomp_export_bpf', filter, fd) | 0;
    if (result < 0) throw new Error(`seccomp_export_bpf: ${result}`);
    const program = Buffer.alloc(fstatSync(fd).size);
    readSync(fd, program, 0, program.length, 0);
    return program;
  } finally {
    closeSync(fd);
  }
}

/** @param rules those of the profile that apply. @param architectures by name. */
export function filterOfLibrary(
  profile: SeccompProfile,
  rules: readonly ProfileRule[],
  architectures: readonly string[],
): Buffer {
  const otherwise = actionWord(profile.defaultAction, profile.defaultErrnoRet ?? EPERM);
  const filter = call('seccomp_init', otherwise);
  if (filter === 0) throw new Error('seccomp_init');
  const check = (name: string, result: number): void => {
    if ((result | 0) < 0) throw new Error(`${name}: ${result | 0}`);
  };
  try {
    check('attr_set', call('seccomp_attr_set', filter, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE));
    if (!architectures.includes('SCMP_ARCH_X86_64')) check('arch_remove', call('seccomp_arch_remove', filter, NATIVE));
    for (const name of architectures) {
      if (name !== 'SCMP_ARCH_X86_64') check('arch_add', call('seccomp_arch_add', filter, TOKENS[name] ?? 0));
    }
    for (const rule of rules) {
      const action = actionWord(rule.action, rule.errnoRet ?? EPERM);
      // As runc has it: the library refuses a rule that says what holds anyway.
      if (action === otherwise) continue;
      for (const name of rule.names ?? []) {
        const number = call('seccomp_syscall_resolve_name', name) | 0;
        if (number === UNKNOWN_NAME) continue;
        const args = argumentsOf(rule);
        const count = rule.args?.length ?? 0;
        check(`${name}`, call('seccomp_rule_add_array', filter, action, number, count, args));
        addressOf(args);
      }
    }
    return exported(filter);
  } finally {
    call('seccomp_release', filter);
  }
}
