/** Gives up for good what a program that reads hostile bytes should not be able to do. */
import { constants } from 'node:os';
import { addressOf } from '../call/foreign.ts';
import { syscall } from '../call/native.ts';
import { SYSCALL_NUMBERS, type SyscallName } from '../call/syscall-numbers.ts';

const PR_SET_NO_NEW_PRIVS = 38; // linux/prctl.h
// linux/seccomp.h
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;
const SECCOMP_RET_ALLOW = 0x7fff0000;
/** The call fails with that number; with 0 it is skipped and succeeds. */
const SECCOMP_RET_ERRNO = 0x00050000;
const RET_EPERM = SECCOMP_RET_ERRNO | constants.errno.EPERM;
const RET_ENOSYS = SECCOMP_RET_ERRNO | constants.errno.ENOSYS;
const RET_SKIPPED = SECCOMP_RET_ERRNO;
// linux/bpf_common.h; offsets in struct seccomp_data of linux/seccomp.h
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const JUMP_ANY_BIT = 0x45;
const RETURN = 0x06;
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
/** The low half of an argument, on the little-endian processors that Node runs on here. */
const argumentAt = (index: number): number => 16 + 8 * index;
// linux/audit.h
const AUDIT_ARCH = process.arch === 'x64' ? 0xc000003e : 0xc00000b7;
/** From here on x86-64 has the calls of x32. */
const X32 = 0x40000000;
const INSTRUCTION_BYTES = 8;

/** Starts programs, reaches into other processes, or changes what the process sees of the host. */
const REFUSED: readonly SyscallName[] = [
  'execve',
  'execveat',
  'ptrace',
  'process_vm_readv',
  'process_vm_writev',
  'pidfd_getfd',
  'pidfd_send_signal',
  'unshare',
  'setns',
  'mount',
  'umount2',
  'pivot_root',
  'open_tree',
  'move_mount',
  'fsopen',
  'fsmount',
  'bpf',
  'keyctl',
  'personality',
  'io_uring_setup',
];

/** All CLONE_NEW… of linux/sched.h that clone(2) takes. */
const NEW_NAMESPACES = 0x7e020000;
// asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;

interface Instruction {
  readonly code: number;
  readonly yes: number;
  readonly no: number;
  readonly k: number;
}

const load = (k: number): Instruction => ({ code: LOAD, yes: 0, no: 0, k });
const answer = (k: number): Instruction => ({ code: RETURN, yes: 0, no: 0, k });
/** Skips the following instructions unless the test holds. */
const unless = (code: number, k: number, skipped: number): Instruction => ({ code, yes: 0, no: skipped, k });

/** Answers that call, and goes on with the number of any other one. */
function forCall(name: SyscallName, answered: readonly Instruction[]): readonly Instruction[] {
  return [unless(JUMP_EQUAL, SYSCALL_NUMBERS[name], answered.length), ...answered];
}

function instructions(): readonly Instruction[] {
  return [
    load(ARCHITECTURE_AT),
    { code: JUMP_EQUAL, yes: 1, no: 0, k: AUDIT_ARCH },
    answer(RET_EPERM),
    load(NUMBER_AT),
    ...(process.arch === 'x64' ? [unless(JUMP_AT_LEAST, X32, 1), answer(RET_EPERM)] : []),
    ...REFUSED.flatMap((name) => forCall(name, [answer(RET_EPERM)])),
    // Its flags are in memory, where a filter cannot look; who starts a thread then calls clone(2).
    ...forCall('clone3', [answer(RET_ENOSYS)]),
    ...forCall('clone', [
      load(argumentAt(0)),
      unless(JUMP_ANY_BIT, NEW_NAMESPACES, 1),
      answer(RET_EPERM),
      answer(SECCOMP_RET_ALLOW),
    ]),
    // libuv sets SO_REUSEADDR on each UDP socket that it takes over. With it, a process of the container may bind the same
    // address and take the questions; so the call does nothing.
    ...forCall('setsockopt', [
      load(argumentAt(1)),
      unless(JUMP_EQUAL, SOL_SOCKET, 3),
      load(argumentAt(2)),
      unless(JUMP_EQUAL, SO_REUSEADDR, 1),
      answer(RET_SKIPPED),
      answer(SECCOMP_RET_ALLOW),
    ]),
    answer(SECCOMP_RET_ALLOW),
  ];
}

function filter(): Buffer {
  const all = instructions();
  const bytes = Buffer.alloc(all.length * INSTRUCTION_BYTES);
  for (const [index, { code, yes, no, k }] of all.entries()) {
    bytes.writeUInt16LE(code, index * INSTRUCTION_BYTES);
    bytes.writeUInt8(yes, index * INSTRUCTION_BYTES + 2);
    bytes.writeUInt8(no, index * INSTRUCTION_BYTES + 3);
    bytes.writeUInt32LE(k, index * INSTRUCTION_BYTES + 4);
  }
  return bytes;
}

/** No program that is started gains privileges, and none is started: all threads, and for ever. */
export function confine(): void {
  const bytes = filter();
  // struct sock_fprog of linux/filter.h
  const program = Buffer.alloc(16);
  program.writeUInt16LE(bytes.length / INSTRUCTION_BYTES, 0);
  program.writeBigUInt64LE(BigInt(addressOf(bytes)), 8);
  syscall('set no_new_privs', 'prctl', PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // TSYNC gives the other threads of Node the filter, and no_new_privs with it.
  syscall('set a filter', 'seccomp', SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program);
}
