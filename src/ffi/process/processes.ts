/**
 * Processes without fork: forking Node copies its page tables. posix_spawn(3) of glibc borrows our memory until the
 * child's execve, so its cost does not grow with us.
 */

import { closeSync, constants as fsConstants, readdirSync, readFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { largest } from '../../model/lists.ts';
import { sysError } from '../call/errno.ts';
import { addressOf, callNumber } from '../call/foreign.ts';
import { syscall, trySyscall } from '../call/native.ts';

const LIBC = 'libc';

// glibc's opaque types, sizes on x86-64 and arm64 (bits/types, spawn.h), rounded up.
const ATTRIBUTES_BYTES = 512;
const FILE_ACTIONS_BYTES = 128;
const SIGNAL_SET_BYTES = 128;

// spawn.h
const POSIX_SPAWN_SETSIGDEF = 0x04;
const POSIX_SPAWN_SETSIGMASK = 0x08;
const POSIX_SPAWN_SETSID = 0x80;

// linux/memfd.h, linux/fcntl.h
const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
const F_ADD_SEALS = 1033;
const F_DUPFD_CLOEXEC = 1030;
// linux/close_range.h
const CLOSE_RANGE_CLOEXEC = 4;
const LAST_FD = 0xffff_ffff;
/**
 * SEAL, SHRINK, GROW, WRITE, and EXEC for the mode: what runs in a container reaches the file by /proc/PID/exe, and root of a
 * container, which owns it, could make it a file that nothing can execute any more.
 */
const ALL_SEALS = 0x2f;

// linux/wait.h
const P_PID = 1;
const WNOHANG = 1;
const WEXITED = 4;

const { O_RDWR } = fsConstants;

/** After standard input, output and error. */
const FIRST_UNNAMED = 3;

export interface SpawnOptions {
  /** Open descriptor of the program. */
  readonly executable: number;
  readonly argv: readonly string[];
  /** Number in the child → descriptor here. 0 and 1 are /dev/null, and so is 2 unless it is here. */
  readonly descriptors: ReadonlyMap<number, number>;
}

/** Anonymous memory with the bytes as its content, close-on-exec. The caller closes it. */
export function memoryFile(name: string, content: Buffer): number {
  return fillMemoryFile(syscall(`memory file ${name}`, 'memfd_create', name, MFD_CLOEXEC), content);
}

/** As {@link memoryFile}, never to be changed again: what is executed from it can be neither tampered with nor forbidden. */
export function sealedMemoryFile(name: string, content: Buffer): number {
  const fd = syscall(`memory file ${name}`, 'memfd_create', name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  fillMemoryFile(fd, content);
  syscall(`seal ${name}`, 'fcntl', fd, F_ADD_SEALS, ALL_SEALS);
  return fd;
}

function fillMemoryFile(fd: number, content: Buffer): number {
  for (let done = 0; done < content.length; ) done += writeSync(fd, content, done);
  return fd;
}

/** A `char *[]` and its strings in one Buffer; `length` pointers and a NULL at its start. */
function stringVector(strings: readonly string[]): Buffer {
  const texts = strings.map((text) => Buffer.from(`${text}\0`));
  let at = (strings.length + 1) * 8;
  const vector = Buffer.alloc(Math.max(64, at + texts.reduce((total, text) => total + text.length, 0)));
  const base = addressOf(vector);
  texts.forEach((text, index) => {
    vector.writeBigUInt64LE(BigInt(base + at), index * 8);
    at += text.copy(vector, at);
  });
  return vector;
}

/** Calls of glibc's spawn family return the error instead of setting errno. */
function spawnCall(name: string, args: readonly (number | string | Buffer)[]): void {
  const error = callNumber(LIBC, name, args) & 0xffff;
  if (error !== 0) throw sysError(name, error, 'start a process');
}

let attributes: Buffer | null = null;

/** Own session, default action for every signal, none blocked: Node ignores SIGPIPE and a child would inherit that. */
function spawnAttributes(): Buffer {
  if (attributes !== null) return attributes;
  const made = Buffer.alloc(ATTRIBUTES_BYTES);
  spawnCall('posix_spawnattr_init', [made]);
  spawnCall('posix_spawnattr_setflags', [made, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID]);
  spawnCall('posix_spawnattr_setsigdefault', [made, Buffer.alloc(SIGNAL_SET_BYTES, 0xff)]);
  spawnCall('posix_spawnattr_setsigmask', [made, Buffer.alloc(SIGNAL_SET_BYTES)]);
  attributes = made;
  return made;
}

/**
 * Starts a program with an empty environment in a session of its own. It gets the descriptors named here and no others, also
 * none that this process was started with by mistake. Returns its pid; it is our child: see {@link reap}.
 */
export function spawn(options: SpawnOptions): number {
  const actions = Buffer.alloc(FILE_ACTIONS_BYTES);
  const pid = Buffer.alloc(64);
  const moved: number[] = [];
  const { descriptors } = options;
  const above = largest(descriptors.keys(), 2) + 1;
  /** A descriptor whose number stands for another one in the child is first moved out of the way. */
  const clearOfTargets = (fd: number): number => {
    if (fd > 2 && !descriptors.has(fd)) return fd;
    const copy = syscall('move a descriptor', 'fcntl', fd, F_DUPFD_CLOEXEC, above);
    moved.push(copy);
    return copy;
  };
  spawnCall('posix_spawn_file_actions_init', [actions]);
  try {
    for (const [target, source] of descriptors) {
      spawnCall('posix_spawn_file_actions_adddup2', [actions, clearOfTargets(source), target]);
    }
    spawnCall('posix_spawn_file_actions_addopen', [actions, 0, '/dev/null', O_RDWR, 0]);
    spawnCall('posix_spawn_file_actions_adddup2', [actions, 0, 1]);
    if (!descriptors.has(2)) spawnCall('posix_spawn_file_actions_adddup2', [actions, 0, 2]);
    const path = `/proc/self/fd/${clearOfTargets(options.executable)}`;
    // Also the program's own descriptor: it stays open until it is executed.
    syscall('close descriptors on exec', 'close_range', FIRST_UNNAMED, LAST_FD, CLOSE_RANGE_CLOEXEC);
    spawnCall('posix_spawn', [pid, path, actions, spawnAttributes(), stringVector(options.argv), Buffer.alloc(64)]);
    return pid.readInt32LE(0);
  } finally {
    callNumber(LIBC, 'posix_spawn_file_actions_destroy', [actions]);
    for (const fd of moved) closeSync(fd);
  }
}

/** True when our child has ended and is reaped, or is no child of ours any more. */
export function reap(pid: number): boolean {
  const info = Buffer.alloc(128);
  const result = trySyscall('waitid', P_PID, pid, info, WEXITED | WNOHANG, null);
  if (result < 0) return true;
  const SI_PID = 12; // siginfo_t, include/uapi/asm-generic/siginfo.h
  return info.readInt32LE(SI_PID) === pid;
}

/** ESRCH comes from a file of a process that went while it was read. */
const GONE: ReadonlySet<number | undefined> = new Set([-constants.errno.ENOENT, -constants.errno.ESRCH]);

const NO_PROCESS: ReadonlySet<number> = new Set([
  -constants.errno.ESRCH,
  -constants.errno.EINVAL,
  -constants.errno.ENOENT,
]);

/** Null when there is no such process. @throws TsdError when that could not be found out: no descriptor left, say. */
function unlessGone<T>(look: () => T, step: string): T | null {
  try {
    return look();
  } catch (thrown) {
    const { errno, syscall: call = 'open' } = thrown as NodeJS.ErrnoException;
    if (GONE.has(errno)) return null;
    throw errno === undefined ? thrown : sysError(call, -errno, step);
  }
}

/** Fields of a stat file below /proc from the third on (proc(5)); null when there is no such process. */
function statOf(path: string): readonly string[] | null {
  const stat = unlessGone(() => readFileSync(path, 'latin1'), `read ${path}`);
  if (stat === null) return null;
  // The name in field 2 may contain anything, also blanks and ')'.
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Field 22 of /proc/<pid>/stat (proc(5)), as text; null when there is no such process or it only waits to be reaped. */
export function startTimeOf(pid: number): string | null {
  const fields = statOf(`/proc/${pid}/stat`);
  return fields === null || fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null);
}

/** include/linux/sched.h; set before a thread lets go of its memory and files, and shown in field 9. */
const PF_EXITING = 0x4;

function isThreadEnding(path: string): boolean {
  const fields = statOf(path);
  return fields === null || (Number(fields[6]) & PF_EXITING) !== 0;
}

/** True when the process that started at `startTime` has ended or none of its threads runs program code any more. */
export function isEnding(pid: number, startTime: string): boolean {
  const fields = statOf(`/proc/${pid}/stat`);
  if (fields?.[19] !== startTime) return true;
  if ((Number(fields[6]) & PF_EXITING) === 0) return false;
  // A program continues when only its first thread has ended.
  const threads = unlessGone(() => readdirSync(`/proc/${pid}/task`), `list threads of ${pid}`) ?? [];
  return threads.every((thread) => isThreadEnding(`/proc/${pid}/task/${thread}/stat`));
}

/** `process 12 (tail), state D in request_wait_answer`, for people; only its number when it is gone. */
export function describeProcess(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const end = stat.lastIndexOf(')');
    const name = stat.slice(stat.indexOf('(') + 1, end);
    const waitsIn = readFileSync(`/proc/${pid}/wchan`, 'latin1');
    return `process ${pid} (${name}), state ${stat[end + 2]}${waitsIn === '0' || waitsIn === '' ? '' : ` in ${waitsIn}`}`;
  } catch {
    return `process ${pid}`;
  }
}

/**
 * Sends a signal to the process that `pid` names, if it is still the one that started at `startTime`. Returns whether it was.
 * @throws TsdError when that could not be found out.
 */
export function signalProcess(pid: number, startTime: string, signal: number): boolean {
  const step = `signal process ${pid}`;
  const fd = trySyscall('pidfd_open', pid, 0);
  // The number may be that of a thread by now, which is no process (EINVAL, later ENOENT).
  if (NO_PROCESS.has(fd)) return false;
  if (fd < 0) throw sysError('pidfd_open', -fd, step);
  try {
    if (startTimeOf(pid) !== startTime) return false;
    const sent = trySyscall('pidfd_send_signal', fd, signal, null, 0);
    if (sent === 0) return true;
    if (sent === -constants.errno.ESRCH) return false;
    throw sysError('pidfd_send_signal', -sent, step);
  } finally {
    closeSync(fd);
  }
}

let bootIdText: string | null = null;

/** Names this boot of the kernel; pids and start times mean nothing in another one. */
export function bootId(): string {
  bootIdText ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return bootIdText;
}

export const SIGKILL = constants.signals.SIGKILL;
