/** Compiles a container into the syscall program that its shim executes. */
import { closeSync, constants } from 'node:fs';
import { AT_FDCWD, lookupCall, OPEN_FLAGS } from '../../../../ffi/files/lookup.ts';
import {
  AT_EMPTY_PATH,
  MOUNT_ATTR,
  MOUNT_ATTR_BYTES,
  MOVE_MOUNT,
  mountAttributes,
  UMOUNT_DETACH,
} from '../../../../ffi/storage/mounts.ts';
import { TsdError, toTsdError } from '../../../../model/errors/errors.ts';
import { sysctlPath } from '../../../../model/kinds/sysctl-forms.ts';
import type { TaskSpec } from '../../../contract/exec.ts';
import type { CgroupEntry, CgroupManager, CgroupView } from '../cgroups/container-groups.ts';
import { DEVPTS_FD } from '../console.ts';
import { ContainerTree, containerPath } from '../container-tree.ts';
import type { JoinedNamespaces } from '../joined-namespaces.ts';
import { FIRST_INHERITED_FD, NETNS_FD, type PreparedTask, RUN_FACTS_FD } from '../prepared-task.ts';
import { factsFile, type RunFacts } from '../run-facts.ts';
import { filterOf } from '../seccomp/filters.ts';
import { allCapabilities, capabilityMask } from './capabilities.ts';
import { addCgroupEntries, addCgroupNamespace, addCgroupView } from './cgroup-ops.ts';
import { CLONE_NEW } from './clone-flags.ts';
import { allHostDevices, DEFAULT_DEVICES, type DeviceSpec, devicePolicy, hostDevice } from './devices.ts';
import { processEnv, refuseNul } from './env.ts';
import { findExecutable } from './executable.ts';
import { addMaskedPaths } from './masked-paths.ts';
import { addNamespaces, cloneFlags, joinedDescriptors } from './namespace-ops.ts';
import { addPayload, type PayloadProcess } from './process-ops.ts';
import { PROGRAM_FLAGS, type SlotRef, SyscallProgram } from './program.ts';
import { openRoot } from './rootfs.ts';
import { addSystemMounts } from './system-mounts.ts';
import { ulimitsOf } from './ulimits.ts';
import { lookUpUser, withGroups } from './users.ts';
import { addVolumeMounts, openBindSources, type PlacedDevice } from './volume-mounts.ts';

/** Numbers in the shim. */
const ROOT_FD = FIRST_INHERITED_FD;
const CGROUP_FD = FIRST_INHERITED_FD + 1;

export interface TaskContext {
  readonly cgroups: CgroupManager;
  /** Descriptor of the devpts that the payload's terminal is of; null without one. It stays the caller's. */
  readonly devpts: number | null;
  readonly joined: JoinedNamespaces;
}

/** Mount points that only the container has; what is looked up in them before it runs does not exist. */
const SYSTEM_MOUNT_POINTS = ['/proc', '/dev', '/sys'];

const NULL_FLAGS = constants.O_RDWR | OPEN_FLAGS.closeOnExec;

interface Devices {
  /** Nodes in the container's own /dev. */
  readonly nodes: readonly DeviceSpec[];
  /** With a path elsewhere. */
  readonly placed: readonly PlacedDevice[];
}

/** @param specs belong to the devices of the specification by index. */
function devicesOf(spec: TaskSpec, specs: readonly DeviceSpec[]): Devices {
  const isInDev = ({ path }: DeviceSpec): boolean => path.startsWith('/dev/');
  const own = specs.filter(isInDev);
  return {
    nodes: spec.privileged ? [...allHostDevices(), ...own] : own,
    placed: specs.flatMap((device, index) => {
      const hostPath = spec.devices[index]?.hostPath ?? '';
      return isInDev(device) ? [] : [{ device, hostPath }];
    }),
  };
}

/**
 * Up to here the process sees the host; afterwards only the container.
 * @returns the null device of the container.
 */
function addRoot(
  program: SyscallProgram,
  spec: TaskSpec,
  tree: ContainerTree,
  devices: Devices,
  groups: CgroupView,
  joined: JoinedNamespaces,
): SlotRef {
  if (spec.netnsFd !== null) program.op('enter the network namespace', 'setns', NETNS_FD, CLONE_NEW.net);
  if (typeof spec.oomScoreAdj === 'number') addOomScore(program, String(spec.oomScoreAdj));
  const ofOthers = addNamespaces(program, spec.shared ?? {}, joined);
  const sources = openBindSources(program, spec.mounts);
  program.op('attach root', 'move_mount', ROOT_FD, '', AT_FDCWD, '/', MOVE_MOUNT.fromEmptyPath);
  program.op('enter root', 'fchdir', ROOT_FD);
  program.op('clear umask', 'umask', 0);
  const { privileged, tty: hasTerminal } = spec;
  const ownShm = { kind: 'own', bytes: spec.shmBytes ?? null } as const;
  const shm = spec.shm === false ? null : (ofOthers.shm ?? ownShm);
  addSystemMounts(program, { privileged, devices: devices.nodes, hasTerminal, shm, proc: ofOthers.proc });
  addCgroupView(program, groups, spec.privileged);
  addSysctls(program, spec.sysctls);
  // Before a volume may cover it.
  const nullDevice = program.opToSlot('open /dev/null', 'openat', AT_FDCWD, 'dev/null', NULL_FLAGS, 0);
  if (!spec.privileged) addMaskedPaths(program);
  for (const path of SYSTEM_MOUNT_POINTS) tree.addNewMount(path);
  addVolumeMounts(program, ROOT_FD, tree, spec.mounts, sources, devices.placed);
  return nullDevice;
}

/** Opened while the host is still there, but inside the root and without the magic links of /proc. */
function addPivot(program: SyscallProgram, spec: TaskSpec, cwd: string): void {
  const call = lookupCall('inRoot', OPEN_FLAGS.path | OPEN_FLAGS.directory);
  const directory = program.lookUp(`open working directory ${cwd}`, ROOT_FD, cwd, call);
  program.op('pivot root', 'pivot_root', '.', '.');
  program.op('detach the host', 'umount2', '.', UMOUNT_DETACH);
  if (spec.readOnlyRoot) {
    const attributes = mountAttributes(MOUNT_ATTR.readOnly);
    program.op('make root read-only', 'mount_setattr', ROOT_FD, '', AT_EMPTY_PATH, attributes, MOUNT_ATTR_BYTES);
  }
  program.op(`enter working directory ${cwd}`, 'fchdir', directory);
  program.closeSlot('close working directory', directory);
}

/** While /proc/sys of its namespaces can be written: /proc is the container's own, the working directory its root. */
function addSysctls(program: SyscallProgram, sysctls: TaskSpec['sysctls']): void {
  for (const [name, value] of Object.entries(sysctls)) {
    const step = `set ${name} to ${JSON.stringify(value)}`;
    const path = `proc/sys/${sysctlPath(name)}`;
    const file = program.opToSlot(step, 'openat', AT_FDCWD, path, constants.O_WRONLY);
    program.op(step, 'write', file, value, Buffer.byteLength(value));
    program.closeSlot(step, file);
  }
}

/** Of the process itself, whose children have it too, as the host's /proc has it: it may be in no other. */
function addOomScore(program: SyscallProgram, score: string): void {
  const step = `set oom_score_adj to ${score}`;
  const file = program.opToSlot(step, 'openat', AT_FDCWD, '/proc/self/oom_score_adj', constants.O_WRONLY);
  program.op(step, 'write', file, score, Buffer.byteLength(score));
  program.closeSlot(step, file);
}

function addNames(program: SyscallProgram, spec: TaskSpec): void {
  if (spec.shared?.uts === 'host') return;
  const name = (text: string) => [text, Buffer.byteLength(text)] as const;
  if (spec.hostname !== '') program.op('set hostname', 'sethostname', ...name(spec.hostname));
  if (spec.domainname !== '') program.op('set domainname', 'setdomainname', ...name(spec.domainname));
}

function payloadOf(spec: TaskSpec, tree: ContainerTree, cwd: string): PayloadProcess {
  const user = withGroups(tree, lookUpUser(tree, spec.user), spec.groups ?? []);
  const env = processEnv(spec.env, user.home);
  const capabilities = spec.privileged ? allCapabilities() : capabilityMask(spec.capabilities);
  return {
    containerId: spec.containerId,
    argv: spec.argv,
    env,
    executable: findExecutable(tree, spec.argv[0] ?? '', env, cwd),
    user,
    capabilities,
    noNewPrivileges: spec.noNewPrivileges,
    filter: filterOf(spec, capabilities),
    tty: spec.tty,
    stdin: spec.stdin,
    init: spec.init,
    joins: typeof spec.shared?.pid === 'object',
    limits: ulimitsOf(spec.ulimits),
  };
}

/** Where it is missing it is made, as Docker does. */
function makeWorkingDirectory(tree: ContainerTree, cwd: string): void {
  try {
    tree.amongNeighbours(() => tree.target(cwd, 'directory'));
  } catch (thrown) {
    const error = toTsdError(thrown);
    const step = `working directory ${cwd}`;
    const { class: errorClass, errno } = error;
    const message = `${step}: ${error.message}`;
    throw new TsdError(error.code, message, { step, class: errorClass, errno, hint: error.hint, cause: error });
  }
}

function compileTask(spec: TaskSpec, rootFd: number, cgroup: CgroupEntry, devices: Devices, joined: JoinedNamespaces) {
  const program = new SyscallProgram();
  const tree = new ContainerTree(rootFd);
  let facts: RunFacts;
  let sharesProgram: boolean;
  try {
    addCgroupEntries(program, cgroup.taskFiles);
    if (spec.shared?.cgroup !== 'host') addCgroupNamespace(program);
    const nullDevice = addRoot(program, spec, tree, devices, cgroup.view, joined);
    const cwd = containerPath(spec.cwd === '' ? '/' : spec.cwd, 'working directory');
    if (cwd !== '/') makeWorkingDirectory(tree, cwd);
    addPivot(program, spec, cwd);
    addNames(program, spec);
    const payload = tree.amongNeighbours(() => payloadOf(spec, tree, cwd));
    sharesProgram = tree.crossed;
    addPayload(program, payload, nullDevice);
    const { capabilities, noNewPrivileges, filter } = payload;
    facts = { user: { wanted: spec.user, found: payload.user }, capabilities, noNewPrivileges, filter, env: spec.env };
  } finally {
    tree.close();
  }
  const encoded = program.encode({
    cloneFlags: cloneFlags(spec.shared ?? {}),
    cgroupFd: CGROUP_FD,
    flags: (spec.tty ? PROGRAM_FLAGS.tty : 0) | (spec.stdin ? PROGRAM_FLAGS.stdin : 0),
  });
  return { program, encoded, facts, sharesProgram };
}

/**
 * Everything that can be found out and made before there is a process: groups, the root mount, users, working directory,
 * mount points, the executable; and the program for the rest.
 * @throws TsdError naming the step; then nothing is left behind.
 */
export function prepareTask(spec: TaskSpec, context: TaskContext): PreparedTask {
  refuseNul('command', spec.argv);
  refuseNul('environment', spec.env);
  refuseNul('host name', [spec.hostname, spec.domainname]);
  const { containerId, privileged, devices } = spec;
  const specs = devices.map((device) =>
    hostDevice({ ...device, containerPath: containerPath(device.containerPath, `device ${device.containerPath}`) }),
  );
  const rootFd = openRoot(spec.root);
  let cgroup: CgroupEntry | undefined;
  try {
    const policy = devicePolicy(privileged, devices, specs);
    cgroup = context.cgroups.create(containerId, spec.resources, policy);
    const found = devicesOf(spec, specs);
    const { program, encoded, facts, sharesProgram } = compileTask(spec, rootFd, cgroup, found, context.joined);
    const factsFd = factsFile(facts);
    const inherited = new Map([
      [ROOT_FD, rootFd],
      [CGROUP_FD, cgroup.directoryFd],
      [RUN_FACTS_FD, factsFd],
      ...joinedDescriptors(context.joined),
    ]);
    if (spec.netnsFd !== null) inherited.set(NETNS_FD, spec.netnsFd);
    if (context.devpts !== null) inherited.set(DEVPTS_FD, context.devpts);
    const entry = cgroup;
    return {
      program,
      encoded,
      sharesProgram,
      inherited,
      cgroupPaths: cgroup.paths,
      devices: { nodes: [...DEFAULT_DEVICES, ...found.nodes, ...found.placed.map(({ device }) => device)], policy },
      release: () => {
        closeSync(rootFd);
        closeSync(factsFd);
        entry.release();
      },
      undo: () => context.cgroups.tryRemove(containerId),
    };
  } catch (error) {
    closeSync(rootFd);
    cgroup?.release();
    if (cgroup !== undefined) context.cgroups.tryRemove(containerId);
    throw error;
  }
}
