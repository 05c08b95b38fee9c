/** What the kernel says of processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { isEnding, startTimeOf } from '../../../src/ffi/process/processes.ts';
import { until } from '../../support/wait.ts';

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
