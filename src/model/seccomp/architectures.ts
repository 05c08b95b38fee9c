/** The calling conventions that a process of this machine may use, and the numbers that each has for its system calls. */
import { ARM_NAMES } from './numbers/arm.ts';
import { ARM64_NAMES } from './numbers/arm64.ts';
import { I386_NAMES } from './numbers/i386.ts';
import { X32_NAMES } from './numbers/x32.ts';
import { X86_64_NAMES } from './numbers/x86-64.ts';

export interface Architecture {
  /** As libseccomp, and so each profile, has it. */
  readonly name: `SCMP_ARCH_${string}`;
  /** `arch` of struct seccomp_data: AUDIT_ARCH of include/uapi/linux/audit.h. */
  readonly audit: number;
  /** Arguments are registers of 32 bits. */
  readonly narrow: boolean;
  /** Shares `audit` with another one, from which its numbers differ by bit 30. */
  readonly x32: boolean;
  readonly numbers: ReadonlyMap<string, number>;
  /** Calls that also go by another one, which has the number of the call as its first argument. */
  readonly multiplexed: ReadonlyMap<string, { readonly by: 'socketcall' | 'ipc'; readonly call: number }>;
}

/** @param text names in the order of their numbers; `@N` says which the next one has. */
function numbersOf(text: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  let next = 0;
  for (const word of text.trim().split(/\s+/)) {
    if (word.startsWith('@')) next = Number(word.slice(1));
    else numbers.set(word, next++);
  }
  return numbers;
}

/** include/uapi/linux/net.h, in order from 1. */
const SOCKETCALLS =
  'socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg';
/** include/uapi/linux/ipc.h */
const IPC_CALLS = '@1 semop semget semctl semtimedop @11 msgsnd msgrcv msgget msgctl @21 shmat shmdt shmget shmctl';

function i386Multiplexed(): Architecture['multiplexed'] {
  const all = (by: 'socketcall' | 'ipc', text: string) =>
    [...numbersOf(text)].map(([name, call]) => [name, { by, call }] as const);
  return new Map([...all('socketcall', `@1 ${SOCKETCALLS}`), ...all('ipc', IPC_CALLS)]);
}

const NONE: Architecture['multiplexed'] = new Map();

export interface Machine {
  /** As Go, and so the conditions of Docker's profile, calls it. */
  readonly name: 'amd64' | 'arm64';
  readonly native: Architecture;
  /** What its kernel runs besides. */
  readonly others: readonly Architecture[];
}

const MACHINES: Readonly<Record<'x64' | 'arm64', () => Machine>> = {
  x64: () => ({
    name: 'amd64',
    native: {
      name: 'SCMP_ARCH_X86_64',
      audit: 0xc000003e,
      narrow: false,
      x32: false,
      numbers: numbersOf(X86_64_NAMES),
      multiplexed: NONE,
    },
    others: [
      {
        name: 'SCMP_ARCH_X32',
        audit: 0xc000003e,
        narrow: false,
        x32: true,
        numbers: numbersOf(X32_NAMES),
        multiplexed: NONE,
      },
      {
        name: 'SCMP_ARCH_X86',
        audit: 0x40000003,
        narrow: true,
        x32: false,
        numbers: numbersOf(I386_NAMES),
        multiplexed: i386Multiplexed(),
      },
    ],
  }),
  arm64: () => ({
    name: 'arm64',
    native: {
      name: 'SCMP_ARCH_AARCH64',
      audit: 0xc00000b7,
      narrow: false,
      x32: false,
      numbers: numbersOf(ARM64_NAMES),
      multiplexed: NONE,
    },
    others: [
      {
        name: 'SCMP_ARCH_ARM',
        audit: 0x40000028,
        narrow: true,
        x32: false,
        numbers: numbersOf(ARM_NAMES),
        multiplexed: NONE,
      },
    ],
  }),
};

const made = new Map<string, Machine>();

/** @param arch of node: `x64`, `arm64`. @returns null for one whose numbers are not known here. */
export function machineOf(arch: string): Machine | null {
  if (arch !== 'x64' && arch !== 'arm64') return null;
  const known = made.get(arch);
  if (known !== undefined) return known;
  const machine = MACHINES[arch]();
  made.set(arch, machine);
  return machine;
}

/** Arguments that the kernel reads as 32 bits, by index: the upper bits of the register are not part of the value. */
const INT_ARGUMENTS: Readonly<Record<string, readonly number[]>> = {
  arch_prctl: [0],
  bpf: [0, 2],
  chmod: [1],
  clone: [0],
  faccessat: [0, 2],
  fchmod: [0, 1],
  fchmodat: [0, 2],
  fcntl: [0, 1],
  fsopen: [1],
  futex: [1, 2],
  getsockopt: [0, 1, 2],
  io_uring_setup: [0],
  ioctl: [0, 1],
  keyctl: [0],
  kill: [0, 1],
  memfd_create: [1],
  mkdir: [1],
  mkdirat: [0, 2],
  mknod: [1, 2],
  mknodat: [0, 2, 3],
  open: [1, 2],
  openat: [0, 2, 3],
  personality: [0],
  pidfd_open: [0, 1],
  prctl: [0],
  quotactl: [0],
  seccomp: [0, 1],
  setns: [0, 1],
  setsockopt: [0, 1, 2],
  socket: [0, 1, 2],
  socketpair: [0, 1, 2],
  tgkill: [0, 1, 2],
  tkill: [0, 1],
  umask: [0],
  userfaultfd: [0],
};

export function isIntArgument(name: string, index: number): boolean {
  return Object.hasOwn(INT_ARGUMENTS, name) && (INT_ARGUMENTS[name] ?? []).includes(index);
}
