/** Compiles a process that is started in a running container. */
import { AT_FDCWD, lookupCall, OPEN_FLAGS } from '../../../../ffi/files/lookup.ts';
import type { ExecSpec } from '../../../contract/exec.ts';
import type { CgroupEntry } from '../cgroups/container-groups.ts';
import { containerPath, type FileTree, mountedTree } from '../container-tree.ts';
import { FIRST_INHERITED_FD, type PreparedTask } from '../prepared-task.ts';
import type { ExecFacts } from '../run-facts.ts';
import { allCapabilities } from './capabilities.ts';
import { addCgroupEntries } from './cgroup-ops.ts';
import { CLONE_NEW } from './clone-flags.ts';
import type { TaskContext } from './compile.ts';
import type { ContainerEntry } from './container-entry.ts';
import { processEnv, refuseNul } from './env.ts';
import { findExecutable } from './executable.ts';
import { addPayload } from './process-ops.ts';
import { PROGRAM_FLAGS, SyscallProgram } from './program.ts';
import { limitsOfProcess } from './ulimits.ts';
import { lookUpUser, type ProcessUser } from './users.ts';

/** Numbers in the shim. */
const CGROUP_FD = FIRST_INHERITED_FD;
const NAMESPACE_FD = {
  pid: CGROUP_FD + 1,
  uts: CGROUP_FD + 2,
  ipc: CGROUP_FD + 3,
  net: CGROUP_FD + 4,
  cgroup: CGROUP_FD + 5,
  mnt: CGROUP_FD + 6,
} as const;

/** A running container that is open for a process to be started in it. */
export interface OpenContainer {
  readonly containerId: string;
  /** Of its first process. */
  readonly pid: number;
  readonly facts: ExecFacts;
  readonly entry: ContainerEntry;
}

/** Returns the user as resolved at the start of the run, since the container may have edited its database; looks up others. */
function userOf(spec: ExecSpec, facts: ExecFacts, tree: FileTree): ProcessUser {
  return facts.user?.wanted === spec.user ? facts.user.found : lookUpUser(tree, spec.user);
}

function addEntry(program: SyscallProgram, groups: CgroupEntry): void {
  addCgroupEntries(program, groups.taskFiles);
  program.op('enter the host name', 'setns', NAMESPACE_FD.uts, CLONE_NEW.uts);
  program.op('enter the ipc namespace', 'setns', NAMESPACE_FD.ipc, CLONE_NEW.ipc);
  program.op('enter the network namespace', 'setns', NAMESPACE_FD.net, CLONE_NEW.net);
  program.op('enter the cgroup namespace', 'setns', NAMESPACE_FD.cgroup, CLONE_NEW.cgroup);
  program.op('enter the mounts', 'setns', NAMESPACE_FD.mnt, CLONE_NEW.mount);
  program.op('let the next child be in the pid namespace', 'setns', NAMESPACE_FD.pid, CLONE_NEW.pid);
}

function compile(
  spec: ExecSpec,
  { containerId, facts, entry }: OpenContainer,
  groups: CgroupEntry,
): { program: SyscallProgram; encoded: Buffer } {
  const program = new SyscallProgram();
  const tree = mountedTree(entry.root);
  const cwd = containerPath(spec.cwd ?? '/', 'working directory');
  addEntry(program, groups);
  const call = lookupCall('withoutMagicLinks', OPEN_FLAGS.path | OPEN_FLAGS.directory);
  const directory = program.lookUp(`open working directory ${cwd}`, AT_FDCWD, cwd, call);
  program.op(`enter working directory ${cwd}`, 'fchdir', directory);
  program.closeSlot('close working directory', directory);
  const user = userOf(spec, facts, tree);
  const env = processEnv([...facts.env, ...spec.env], user.home);
  addPayload(program, {
    containerId,
    argv: spec.argv,
    env,
    executable: findExecutable(tree, spec.argv[0] ?? '', env, cwd),
    user,
    capabilities: spec.privileged ? allCapabilities() : facts.capabilities & allCapabilities(),
    noNewPrivileges: !spec.privileged && facts.noNewPrivileges,
    // A privileged session is filtered as well: it may gain capabilities, and no calls.
    filter: facts.filter,
    tty: spec.tty,
    stdin: spec.stdin,
    init: false,
    joins: true,
    limits: limitsOfProcess(facts.limits),
  });
  const encoded = program.encode({
    cloneFlags: 0,
    cgroupFd: CGROUP_FD,
    flags: (spec.tty ? PROGRAM_FLAGS.tty : 0) | (spec.stdin ? PROGRAM_FLAGS.stdin : 0),
  });
  return { program, encoded };
}

/**
 * @param container stays the caller's, until the program runs.
 * @throws TsdError TSD_CONTAINER_NOT_RUNNING, TSD_COMMAND_NOT_FOUND, TSD_USER_NOT_FOUND; then nothing is left behind.
 */
export function prepareExec(
  spec: ExecSpec,
  container: OpenContainer,
  context: Pick<TaskContext, 'cgroups'>,
): PreparedTask {
  refuseNul('command', spec.argv);
  refuseNul('environment', spec.env);
  const cgroup = context.cgroups.enter(container.containerId, container.pid);
  try {
    const { program, encoded } = compile(spec, container, cgroup);
    const { namespaces } = container.entry;
    const inherited = new Map([
      [CGROUP_FD, cgroup.directoryFd],
      ...Object.entries(NAMESPACE_FD).map(([name, number]): [number, number] => [
        number,
        namespaces[name as keyof typeof NAMESPACE_FD],
      ]),
    ]);
    return { program, encoded, inherited, cgroupPaths: cgroup.paths, release: cgroup.release, undo: () => {} };
  } catch (error) {
    cgroup.release();
    throw error;
  }
}
