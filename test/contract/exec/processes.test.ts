/** What the kernel says of processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { syscall } from '../../../src/ffi/call/native.ts';
import {
  isEnding,
  reap,
  SIGKILL,
  signalProcess,
  spawn as spawnNative,
  startTimeOf,
} from '../../../src/ffi/process/processes.ts';
import { PATIENCE_MS, until } from '../../support/wait.ts';

const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function begin(program: string, ...args: string[]): number {
  const child = spawn(program, args, { stdio: 'ignore' });
  children.push(child);
  return child.pid ?? 0;
}

test('a process counts as ending when it is gone, replaced, or a zombie', async () => {
  const pid = begin('sleep', '1000');
  const startTime = startTimeOf(pid) ?? '';
  expect(isEnding(pid, startTime)).toBe(false);
  expect(isEnding(pid, '1')).toBe(true);
  process.kill(pid, 'SIGKILL');
  await until('its end', () => isEnding(pid, startTime));
});

test('a program counts as running after its first thread has ended', async () => {
  const script = `
import ctypes, platform, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
ctypes.CDLL(None).syscall({'x86_64': 60, 'aarch64': 93}[platform.machine()], 0)
`;
  const pid = begin('python3', '-c', script);
  const startTime = startTimeOf(pid) ?? '';
  await until('the end of the first thread', () => startTimeOf(pid) === null);
  expect(readdirSync(`/proc/${pid}/task`)).toHaveLength(2);
  expect(isEnding(pid, startTime)).toBe(false);
  process.kill(pid, 'SIGKILL');
  await until('its end', () => isEnding(pid, startTime));
});

test('a program gets the descriptors that it is given, and none that this process holds by mistake', async () => {
  const F_SETFD = 2;
  const careless = openSync('/proc/self/ns/net', 'r');
  syscall('let it be inherited', 'fcntl', careless, F_SETFD, 0);
  const [executable, zero] = [openSync('/bin/sleep', 'r'), openSync('/dev/zero', 'r')];
  const pid = spawnNative({ executable, argv: ['sleep', '1000'], descriptors: new Map([[5, zero]]) });
  try {
    await until('it is executed', () => readlinkSync(`/proc/${pid}/exe`) !== process.execPath);
    const held = () => readdirSync(`/proc/${pid}/fd`).map((fd) => `${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`);
    // Its loader has files open for a moment, one of which may be closed between the look at the list and the one at it.
    const given = ['0 /dev/null', '1 /dev/null', '2 /dev/null', '5 /dev/zero'];
    await vi.waitFor(() => expect(held()).toEqual(given), { timeout: PATIENCE_MS });
  } finally {
    signalProcess(pid, startTimeOf(pid) ?? '', SIGKILL);
    await until('its end', () => reap(pid));
    for (const fd of [careless, executable, zero]) closeSync(fd);
  }
});
