/** The end of every program: from a process in the right namespaces to the payload. */
import { constants } from 'node:fs';
import { AT_FDCWD, lookupCall, OPEN_FLAGS } from '../../../../ffi/files/lookup.ts';
import { AT_EMPTY_PATH } from '../../../../ffi/storage/mounts.ts';
import { SHIM_BINARY_FD } from '../prepared-task.ts';
import { addFilter } from '../seccomp/filter-op.ts';
import type { LoadedFilter } from '../seccomp/filters.ts';
import { addBoundingSet, addCapabilities } from './capabilities.ts';
import { addSessionKeyring } from './keyring.ts';
import { SLOT_STDERR, SLOT_STDIN, SLOT_STDOUT, type SlotRef, type SyscallProgram } from './program.ts';
import { addLimits, type Limit } from './ulimits.ts';
import type { ProcessUser } from './users.ts';

/** include/uapi/linux/prctl.h */
const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;
/** include/uapi/asm-generic/ioctls.h, include/uapi/asm-generic/signal-defs.h */
const TIOCSCTTY = 0x540e;
const SIG_SETMASK = 2;
/** include/uapi/asm-generic/fcntl.h */
const F_SETFL = 4;
const SIGKILL = 9;
const SIGNAL_SET_BYTES = 8;
const LAST_FD = 0xffffffff;

export interface PayloadProcess {
  readonly containerId: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  /** Absolute path of the program in the container. */
  readonly executable: string;
  readonly user: ProcessUser;
  /** Mask of the capabilities it may ever have. */
  readonly capabilities: bigint;
  readonly noNewPrivileges: boolean;
  readonly filter: LoadedFilter | null;
  readonly tty: boolean;
  readonly stdin: boolean;
  /** Under the shim's binary as init, see SHIM_BINARY_FD. */
  readonly init: boolean;
  /** Others are in its pid namespace already, who may have the right to trace it. */
  readonly joins: boolean;
  readonly limits: readonly Limit[];
}

const slot = (number: number): SlotRef => ({ kind: 'slot', slot: number });

/** What a payload put in its place must neither lead elsewhere nor keep us waiting, nor become its terminal. */
const NULL_DEVICE = lookupCall('withoutLinks', constants.O_RDWR | constants.O_NOCTTY | OPEN_FLAGS.nonBlock);

/** As the container has it now. */
function openNullDevice(program: SyscallProgram): SlotRef {
  const step = 'open /dev/null of the container';
  const opened = program.lookUp(step, AT_FDCWD, '/dev/null', NULL_DEVICE);
  program.op(step, 'fcntl', opened, F_SETFL, constants.O_RDWR);
  return opened;
}

function addStdio(program: SyscallProgram, process: PayloadProcess, nullDevice: SlotRef | null): void {
  const hasInput = process.stdin || process.tty;
  // Without input the shim's is the null device of the host, whose owner and mode would be the payload's to change.
  const input = hasInput ? slot(SLOT_STDIN) : (nullDevice ?? openNullDevice(program));
  const stdio = [input, slot(SLOT_STDOUT), slot(SLOT_STDERR)];
  stdio.forEach((from, fd) => {
    program.op(`set up descriptor ${fd}`, 'dup3', from, fd, 0);
  });
  if (process.user.uid === 0) return;
  // So that the user can open /dev/stdout. The null device stays root's.
  for (const fd of hasInput ? [0, 1, 2] : [1, 2]) {
    program.op(`give descriptor ${fd} to the user`, 'fchownat', fd, '', process.user.uid, -1, AT_EMPTY_PATH);
  }
}

function addCredentials(program: SyscallProgram, process: PayloadProcess): void {
  const { uid, gid, groups } = process.user;
  const list = Buffer.alloc(Math.max(4, groups.length * 4));
  groups.forEach((group, index) => {
    list.writeUInt32LE(group, index * 4);
  });
  addSessionKeyring(program, process.containerId);
  addBoundingSet(program, process.capabilities);
  if (process.filter !== null && !process.noNewPrivileges) addFilter(program, process.filter);
  program.op(`set groups ${groups.join(',')}`, 'setgroups', groups.length, list);
  program.op(`set group ${gid}`, 'setresgid', gid, gid, gid);
  program.op(`set user ${uid}`, 'setresuid', uid, uid, uid);
  addCapabilities(program, process.capabilities, uid);
  if (process.noNewPrivileges) program.op('set no_new_privs', 'prctl', PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/** A descriptor of the host that stays open could be reached through /proc/self/fd while execve looks up its path. */
function addClosing(program: SyscallProgram, keep: number | null): void {
  const step = 'close descriptors';
  if (keep === null) {
    program.op(step, 'close_range', 3, LAST_FD, 0);
    return;
  }
  program.op(step, 'close_range', 3, keep - 1, 0);
  program.op(step, 'close_range', keep + 1, LAST_FD, 0);
}

/**
 * Ends in execve. The working directory is set before.
 * @param nullDevice what a process without input reads; null for the /dev/null that it finds.
 */
export function addPayload(program: SyscallProgram, process: PayloadProcess, nullDevice: SlotRef | null = null): void {
  // Until execve no process of the container may inspect this one, which still has descriptors of the host.
  program.op('hide from the container', 'prctl', PR_SET_DUMPABLE, 0, 0, 0, 0);
  addStdio(program, process, nullDevice);
  // Nothing is opened from here on, of which a program may be allowed less than its start takes.
  addLimits(program, process.limits);
  program.op('set umask', 'umask', 0o022);
  addCredentials(program, process);
  addClosing(program, process.init ? SHIM_BINARY_FD : null);
  if (process.joins) program.continueInSecondChild();
  // A change of credentials clears it, and no child inherits it.
  program.op('die with the shim', 'prctl', PR_SET_PDEATHSIG, SIGKILL);
  program.op('start a session', 'setsid');
  if (process.tty) program.op('take the terminal', 'ioctl', 0, TIOCSCTTY, 0);
  program.op('unblock signals', 'rt_sigprocmask', SIG_SETMASK, Buffer.alloc(SIGNAL_SET_BYTES), 0, SIGNAL_SET_BYTES);
  if (process.filter !== null && process.noNewPrivileges) addFilter(program, process.filter);
  const environment = program.strings(process.env);
  const step = `execve ${process.executable}`;
  if (process.init) {
    const argv = program.strings(['tsdocker-init', process.executable, '--', ...process.argv]);
    program.op(step, 'execveat', SHIM_BINARY_FD, '', argv, environment, AT_EMPTY_PATH);
  } else {
    program.op(step, 'execve', process.executable, program.strings(process.argv), environment);
  }
}
