/**
 * Programs written by hand, so that the process side of the native driver is tested alone: the payload is busybox of the
 * host in a pid namespace of its own, with the host's root filesystem.
 */
import { join } from 'node:path';
import {
  FIRST_INHERITED_FD,
  type PreparedTask,
  SHIM_BINARY_FD,
} from '../../../src/drivers/exec/native/prepared-task.ts';
import {
  PROGRAM_FLAGS,
  type ProgramHeader,
  SLOT_STDERR,
  SLOT_STDIN,
  SLOT_STDOUT,
  SyscallProgram,
} from '../../../src/drivers/exec/native/program/program.ts';
import type { TaskCompiler } from '../../../src/drivers/exec/native/task-compiler.ts';

// linux/sched.h, linux/prctl.h, asm-generic/ioctls.h
const CLONE_NEWPID = 0x20000000;
const CLONE_NEWNS = 0x00020000;
const PR_SET_PDEATHSIG = 1;
const SIG_SETMASK = 2;
const TIOCSCTTY = 0x540e;
const SIGKILL = 9;
const AT_EMPTY_PATH = 0x1000;

export const SHIM_BINARY = join(import.meta.dirname, '../../../build/tsdocker-shim');

function prepared(
  program: SyscallProgram,
  header: ProgramHeader,
  inherited: ReadonlyMap<number, number>,
): PreparedTask {
  return { program, encoded: program.encode(header), inherited, cgroupPaths: {}, release: () => {}, undo: () => {} };
}

function payload(
  program: SyscallProgram,
  spec: { argv: readonly string[]; env: readonly string[]; tty: boolean },
): void {
  program.op('new session', 'setsid');
  for (const slot of [SLOT_STDIN, SLOT_STDOUT, SLOT_STDERR]) {
    program.op(`place stdio ${slot}`, 'dup3', { kind: 'slot', slot }, slot, 0);
  }
  if (spec.tty) program.op('take the terminal', 'ioctl', 0, TIOCSCTTY, 0);
  program.op('unblock signals', 'rt_sigprocmask', SIG_SETMASK, Buffer.alloc(8), 0, 8);
  program.op('die with the shim', 'prctl', PR_SET_PDEATHSIG, SIGKILL);
  const [path = '', ...rest] = spec.argv;
  const environment = program.strings(spec.env);
  if (path === '/init') {
    const argv = program.strings(['tsdocker-init', ...rest]);
    program.op('execve init', 'execveat', SHIM_BINARY_FD, '', argv, environment, AT_EMPTY_PATH);
    return;
  }
  program.op(`execve ${path}`, 'execve', path, program.strings(spec.argv), environment);
}

const ioFlags = (spec: { tty: boolean; stdin: boolean }): number =>
  (spec.tty ? PROGRAM_FLAGS.tty : 0) | (spec.stdin ? PROGRAM_FLAGS.stdin : 0);

/** A command `/init …` runs under the shim's binary as init. A spec with `cwd: '/missing'` fails at the step `enter /missing`. */
export const handMadeCompiler: TaskCompiler = {
  task(spec) {
    const program = new SyscallProgram();
    program.op(`enter ${spec.cwd}`, 'chdir', spec.cwd);
    payload(program, spec);
    return prepared(program, { cloneFlags: CLONE_NEWPID | CLONE_NEWNS, flags: ioFlags(spec) }, new Map());
  },
  exec(spec, { entry }) {
    const program = new SyscallProgram();
    program.op('enter the pid namespace', 'setns', FIRST_INHERITED_FD, CLONE_NEWPID);
    program.continueInSecondChild();
    payload(program, spec);
    const inherited = new Map([[FIRST_INHERITED_FD, entry.namespaces.pid]]);
    return prepared(program, { cloneFlags: 0, flags: ioFlags(spec) }, inherited);
  },
};
