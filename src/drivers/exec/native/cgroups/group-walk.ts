/**
 * Control groups below one, which processes of a container made: of any number, name and depth, where paths are longer than
 * the kernel takes. They are walked by descriptors.
 */
import { closeSync, constants, openSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sysError } from '../../../../ffi/call/errno.ts';
import { describeProcess } from '../../../../ffi/process/processes.ts';
import { append } from '../../../../model/lists.ts';
import { errnoOf, GONE } from './group-files.ts';

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const SLICE_MS = 5;
/** As many as a message has room for, and as many groups as are looked at for them. */
const PROCESSES_SHOWN = 5;
const GROUPS_SEARCHED = 10_000;

/** A file or group in the one that `fd` is open on. Names are bytes: those of v1 need not be text. */
function at(fd: number, name: Buffer | string): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), Buffer.from(name)]);
}

/** Null where it is gone. */
function openGroup(path: Buffer | string): number | null {
  try {
    return openSync(path, DIRECTORY);
  } catch (thrown) {
    if (GONE.has(errnoOf(thrown)?.code ?? '')) return null;
    throw thrown;
  }
}

function groupsIn(fd: number): Buffer[] {
  const entries = readdirSync(at(fd, '.'), { withFileTypes: true, encoding: 'buffer' });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** A group, as its name in the open directory `parent`. Valid until the next step of the walk. */
interface Place {
  readonly parent: number;
  readonly name: Buffer;
}

/** All groups below one, each after those below it. None where there is no group. */
function* groupsBelow(path: string): Generator<Place, void> {
  const levels: { readonly name: Buffer | null; readonly pending: Buffer[] }[] = [];
  let fd = openGroup(path);
  try {
    if (fd !== null) levels.push({ name: null, pending: groupsIn(fd) });
    while (fd !== null) {
      const next = levels.at(-1)?.pending.pop();
      const into = next === undefined ? '..' : next;
      const done = next === undefined ? levels.pop() : undefined;
      if (done?.name === null) return;
      const to = openGroup(at(fd, into));
      if (to === null && next !== undefined) continue;
      closeSync(fd);
      fd = to;
      if (fd === null) return;
      if (next !== undefined) levels.push({ name: next, pending: groupsIn(fd) });
      else if (done?.name) yield { parent: fd, name: done.name };
    }
  } finally {
    if (fd !== null) closeSync(fd);
  }
}

/** Takes the steps of a walk with pauses for everybody else. */
async function inSlices<Result>(steps: Generator<unknown, Result>): Promise<Result> {
  let pauseAt = performance.now() + SLICE_MS;
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() < pauseAt) continue;
    await nextTurn();
    pauseAt = performance.now() + SLICE_MS;
  }
}

/** @returns false where processes or groups are in it. @throws TsdError with errno. */
function removeGroup(path: Buffer | string, shown: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (thrown) {
    const error = errnoOf(thrown);
    if (error !== null && GONE.has(error.code)) return true;
    if (error?.code === 'EBUSY') return false;
    if (error === null) throw thrown;
    throw sysError('rmdir', error.errno, `remove control group ${shown}`);
  }
}

function* removal(path: string): Generator<void, boolean> {
  // Most containers make none below theirs.
  if (removeGroup(path, path)) return true;
  for (const { parent, name } of groupsBelow(path)) {
    if (!removeGroup(at(parent, name), `${name} below ${path}`)) return false;
    yield;
  }
  return removeGroup(path, path);
}

/** Removes a group and all below it. @returns false where one of them has processes. */
export function tryRemoveTree(path: string): boolean {
  const steps = removal(path);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** As {@link tryRemoveTree}, for groups that may be many. */
export function removeTree(path: string): Promise<boolean> {
  return inSlices(removal(path));
}

function pidsAt(path: Buffer): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n').filter(Boolean);
  } catch {
    // It is gone, or its threads are listed with the processes of another group.
    return [];
  }
}

function* search(path: string): Generator<void, readonly string[]> {
  const found = pidsAt(Buffer.from(`${path}/cgroup.procs`));
  let searched = 0;
  for (const { parent, name } of groupsBelow(path)) {
    if (found.length >= PROCESSES_SHOWN || searched++ > GROUPS_SEARCHED) break;
    append(found, pidsAt(at(parent, Buffer.concat([name, Buffer.from('/cgroup.procs')]))));
    yield;
  }
  return found;
}

/** Processes of a group and of all below it. */
export function allPidsIn(path: string): readonly number[] {
  const found = pidsAt(Buffer.from(`${path}/cgroup.procs`));
  for (const { parent, name } of groupsBelow(path)) {
    append(found, pidsAt(at(parent, Buffer.concat([name, Buffer.from('/cgroup.procs')]))));
  }
  return found.map(Number);
}

/** Returns a description of the processes in a group and below it; '' when it is empty. */
export async function describeProcessesIn(path: string): Promise<string> {
  const pids = await inSlices(search(path));
  const shown = pids.slice(0, PROCESSES_SHOWN).map((pid) => describeProcess(Number(pid)));
  return [...shown, ...(pids.length > PROCESSES_SHOWN ? [`${pids.length - PROCESSES_SHOWN} more`] : [])].join(', ');
}

function* thawing(path: string): Generator<void, void> {
  const thaw = (file: Buffer): void => {
    try {
      if (readFileSync(file, 'latin1') !== 'THAWED\n') writeFileSync(file, 'THAWED', { flag: 'r+' });
    } catch (thrown) {
      if (!GONE.has(errnoOf(thrown)?.code ?? '')) throw thrown;
    }
  };
  thaw(Buffer.from(`${path}/freezer.state`));
  for (const { parent, name } of groupsBelow(path)) {
    thaw(at(parent, Buffer.concat([name, Buffer.from('/freezer.state')])));
    yield;
  }
}

/** Thaws a cgroup v1 freezer group and those below it: frozen processes cannot be killed. */
export function thawTree(path: string): Promise<void> {
  return inSlices(thawing(path));
}
