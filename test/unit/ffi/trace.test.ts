/** TSDOCKER_TRACE=ffi, as a process that has it in its environment writes it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { traceLine } from '../../../src/ffi/call/trace.ts';

const SECRET = 'correct horse battery staple';
const DIRECTORY = mkdtempSync(join(tmpdir(), 'tsd-trace-'));
afterAll(() => rmSync(DIRECTORY, { recursive: true }));

function linesWith(trace: string | undefined): readonly string[] {
  const { TSDOCKER_TRACE: _, ...env } = process.env;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', './test/support/run-typescript.mjs', join(import.meta.dirname, 'trace.child.ts'), DIRECTORY, SECRET],
    { encoding: 'utf8', env: trace === undefined ? env : { ...env, TSDOCKER_TRACE: trace } },
  );
  expect([stdout, status]).toEqual(['done\n', 0]);
  return stderr.split('\n').slice(0, -1);
}

test('each call is a line with its name, arguments, result, errno and duration', () => {
  const lines = linesWith('ffi');
  const call = (path: string, result: string) =>
    expect.stringMatching(new RegExp(`^ffi openat2\\(-100, "${path}", <24 bytes>, 24\\) = ${result} <\\d+ us>$`));
  expect(lines).toContainEqual(call(DIRECTORY, '\\d+'));
  expect(lines).toContainEqual(call(`${DIRECTORY}/no\\\\nsuch`, '-1 ENOENT'));
  expect(lines).toContainEqual(expect.stringMatching(/^ffi lsetxattr\(.*"user\.secret", <28 bytes>, 28, 0\) = /));
  expect(lines).toContainEqual(expect.stringMatching(/^ffi fsconfig\(-1, 1, "password", <hidden>, 0\) = -1 E/));
  expect(lines).toContainEqual(expect.stringContaining('"user=a,password=<hidden>,vers=3"'));
  expect(lines.filter((line) => line.includes('horse'))).toEqual([]);
});

test('nothing is written by default', () => expect(linesWith(undefined)).toEqual([]));

test('an unknown value is an error that names the valid ones', () =>
  expect(linesWith('sql')).toEqual(['warning: TSDOCKER_TRACE="sql": the only trace is ffi']));

test.each([
  ['a NULL pointer', traceLine('sendto', [3, null, 0], 0, 1.4), 'ffi sendto(3, NULL, 0) = 0 <1 us>'],
  ['a call that threw', traceLine('libx.f', [], null, 0), 'ffi libx.f() = thrown <0 us>'],
  ['a text that came back', traceLine('libx.name', [], 'a\x1b', 2), 'ffi libx.name() = "a\\u001b" <2 us>'],
  ['an address', traceLine('libx.new', [], 2 ** 47, 2), 'ffi libx.new() = 140737488355328 <2 us>'],
])('%s', (_what, line, expected) => expect(line).toBe(expected));

test('a long text is truncated', () => {
  const line = traceLine('nft_run', ['x'.repeat(5000)], 0, 1);
  expect(line.length).toBeLessThan(150);
  expect(line).toContain('x"...)');
});
