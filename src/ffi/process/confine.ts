/** Gives up for good what a program that reads hostile bytes should not be able to do. */
import { addressOf } from '../call/foreign.ts';
import { syscall } from '../call/native.ts';
import { SYSCALL_NUMBERS, type SyscallName } from '../call/syscall-numbers.ts';

const PR_SET_NO_NEW_PRIVS = 38; // linux/prctl.h
// linux/seccomp.h
const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;
const SECCOMP_RET_ALLOW = 0x7fff0000;
const SECCOMP_RET_EPERM = 0x00050001;
// linux/bpf_common.h; offsets in struct seccomp_data of linux/seccomp.h
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const RETURN = 0x06;
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
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

function filter(): Buffer {
  // The last three answer: allowed, refused. Jumps count the instructions between.
  const refused = REFUSED.map((name) => SYSCALL_NUMBERS[name]);
  const checks = [
    ...(process.arch === 'x64' ? [{ code: JUMP_AT_LEAST, k: X32 }] : []),
    ...refused.map((k) => ({ code: JUMP_EQUAL, k })),
  ];
  const instructions = [
    { code: LOAD, yes: 0, no: 0, k: ARCHITECTURE_AT },
    { code: JUMP_EQUAL, yes: 0, no: checks.length + 2, k: AUDIT_ARCH },
    { code: LOAD, yes: 0, no: 0, k: NUMBER_AT },
    ...checks.map((check, index) => ({ ...check, yes: checks.length - index, no: 0 })),
    { code: RETURN, yes: 0, no: 0, k: SECCOMP_RET_ALLOW },
    { code: RETURN, yes: 0, no: 0, k: SECCOMP_RET_EPERM },
  ];
  const bytes = Buffer.alloc(instructions.length * INSTRUCTION_BYTES);
  for (const [index, { code, yes, no, k }] of instructions.entries()) {
    bytes.writeUInt16LE(code, index * INSTRUCTION_BYTES);
    bytes.writeUInt8(yes, index * INSTRUCTION_BYTES + 2);
    bytes.writeUInt8(no, index * INSTRUCTION_BYTES + 3);
    bytes.writeUInt32LE(k, index * INSTRUCTION_BYTES + 4);
  }
  return bytes;
}

/** No program that is started gains privileges, and none is started: all threads, and for ever. */
export function confine(): void {
  const instructions = filter();
  // struct sock_fprog of linux/filter.h
  const program = Buffer.alloc(16);
  program.writeUInt16LE(instructions.length / INSTRUCTION_BYTES, 0);
  program.writeBigUInt64LE(BigInt(addressOf(instructions)), 8);
  syscall('set no_new_privs', 'prctl', PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  // TSYNC gives the other threads of Node the filter, and no_new_privs with it.
  syscall('set a filter', 'seccomp', SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, program);
}
