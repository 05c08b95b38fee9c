/** Compiles a process that is started in a running container. */
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { sysError } from '../../../ffi/errno.ts';
import { AT_FDCWD, OPEN_FLAGS, OPEN_HOW_BYTES, openDirectory, openHow, RESOLVE } from '../../../ffi/files.ts';
import { trySyscall } from '../../../ffi/native.ts';
import { startTimeOf } from '../../../ffi/processes.ts';
import { TsdError } from '../../../model/errors.ts';
import type { ExecSpec, TaskHandle } from '../../contract.ts';
import { allCapabilities, statusMask } from './capabilities.ts';
import { CLONE_NEW, type TaskContext } from './compile.ts';
import { containerPath, mountedTree } from './container-tree.ts';
import { processEnv, refuseNul } from './env.ts';
import { findExecutable } from './executable.ts';
import { FIRST_INHERITED_FD, type PreparedTask } from './prepared-task.ts';
import { addPayload } from './process-ops.ts';
import { PROGRAM_FLAGS, SyscallProgram } from './program.ts';
import { addLimitsOf } from './ulimits.ts';
import { lookUpUser } from './users.ts';

/** Numbers in the shim; further ones are the groups to enter. */
const TARGET_FD = FIRST_INHERITED_FD;
const CGROUP_FD = FIRST_INHERITED_FD + 1;
const FIRST_PROCS_FD = FIRST_INHERITED_FD + 2;

/** A running container. Its limits, capabilities and environment are read from its first process. */
export type ExecTarget = Pick<TaskHandle, 'containerId' | 'pid' | 'startTime'>;

function gone(target: ExecTarget): TsdError {
  return new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${target.containerId.slice(0, 12)} is not running`);
}

/** A pidfd of the container's first process, and of no other that has got its pid since. */
export function openProcess(target: ExecTarget): number {
  const fd = trySyscall('pidfd_open', target.pid, 0);
  if (fd === -os.errno.ESRCH) throw gone(target);
  if (fd < 0) throw sysError('pidfd_open', -fd, `open process ${target.pid}`);
  if (startTimeOf(target.pid) === target.startTime) return fd;
  closeSync(fd);
  throw gone(target);
}

interface Facts {
  readonly status: string;
  readonly limits: string;
  readonly env: readonly string[];
}

function readFacts(target: ExecTarget): Facts {
  const read = (name: string): string => readFileSync(`/proc/${target.pid}/${name}`, 'utf8');
  try {
    const env = read('environ').split('\0');
    return { status: read('status'), limits: read('limits'), env: env.filter((entry) => entry.includes('=')) };
  } catch {
    throw gone(target);
  }
}

function compile(
  spec: ExecSpec,
  facts: Facts,
  rootFd: number,
  groups: number,
): { program: SyscallProgram; encoded: Buffer } {
  const program = new SyscallProgram();
  const tree = mountedTree(rootFd);
  const cwd = containerPath(spec.cwd ?? '/', 'working directory');
  for (let index = 0; index < groups; index++) {
    program.op('enter control group', 'write', FIRST_PROCS_FD + index, '0', 1);
  }
  const how = openHow(OPEN_FLAGS.path | OPEN_FLAGS.directory | OPEN_FLAGS.closeOnExec, RESOLVE.noMagicLinks);
  const directory = program.opToSlot(`open working directory ${cwd}`, 'openat2', AT_FDCWD, cwd, how, OPEN_HOW_BYTES);
  program.op(`enter working directory ${cwd}`, 'fchdir', directory);
  program.closeSlot('close working directory', directory);
  addLimitsOf(program, facts.limits);
  const user = lookUpUser(tree, spec.user);
  const env = processEnv([...facts.env.filter((entry) => !entry.startsWith('HOME=')), ...spec.env], user.home);
  addPayload(program, {
    argv: spec.argv,
    env,
    executable: findExecutable(tree, spec.argv[0] ?? '', env, cwd),
    user,
    capabilities: spec.privileged ? allCapabilities() : statusMask(facts.status, 'CapBnd') & allCapabilities(),
    noNewPrivileges: !spec.privileged && /^NoNewPrivs:\s*1$/m.test(facts.status),
    tty: spec.tty,
    stdin: spec.stdin,
    init: false,
  });
  const encoded = program.encode({
    cloneFlags: 0,
    cgroupFd: CGROUP_FD,
    setnsFd: TARGET_FD,
    setnsFlags: CLONE_NEW.mount | CLONE_NEW.uts | CLONE_NEW.ipc | CLONE_NEW.pid | CLONE_NEW.net | CLONE_NEW.cgroup,
    flags: (spec.tty ? PROGRAM_FLAGS.tty : 0) | (spec.stdin ? PROGRAM_FLAGS.stdin : 0),
  });
  return { program, encoded };
}

/**
 * @throws TsdError TSD_CONTAINER_NOT_RUNNING, TSD_COMMAND_NOT_FOUND, TSD_USER_NOT_FOUND; then nothing is left behind.
 */
export function prepareExec(spec: ExecSpec, target: ExecTarget, context: TaskContext): PreparedTask {
  refuseNul('command', spec.argv);
  refuseNul('environment', spec.env);
  const opened: number[] = [];
  const release = (): void => {
    for (const fd of opened.splice(0)) closeSync(fd);
  };
  const keep = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  try {
    const processFd = keep(openProcess(target));
    const facts = readFacts(target);
    const cgroup = context.cgroups.enter(target.containerId);
    keep(cgroup.directoryFd);
    const groups = cgroup.procsFiles.map((path) => keep(openSync(path, constants.O_WRONLY)));
    const rootFd = keep(openDirectory('open the root of the container', `/proc/${target.pid}/root`));
    const { program, encoded } = compile(spec, facts, rootFd, groups.length);
    const inherited = new Map([
      [TARGET_FD, processFd],
      [CGROUP_FD, cgroup.directoryFd],
      ...groups.map((fd, index): [number, number] => [FIRST_PROCS_FD + index, fd]),
    ]);
    return { program, encoded, inherited, cgroupPaths: cgroup.paths, release, undo: () => {} };
  } catch (error) {
    release();
    throw error;
  }
}
