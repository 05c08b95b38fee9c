/** Kernel features that root of a default container could reach: keys of the host's root, a user namespace, and parts with many holes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemCall } from '../../src/ffi/call/foreign.ts';
import { makeCaller } from '../support/caller.ts';
import { BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

/** x86-64 */
const KEYCTL = 250;
const ADD_KEY = 248;
const [KEYCTL_SEARCH, KEYCTL_UNLINK, USER_KEYRING] = [10, 9, -4];
const SECRET = `tsd-test-secret-${process.pid}`;
const PLANTED = `tsd-test-planted-${process.pid}`;

const ATTACKS: Readonly<Record<string, string>> = {
  'read a key of root': `64 ${KEYCTL} ${KEYCTL_SEARCH} ${USER_KEYRING} :user :${SECRET} 0`,
  'plant a key with root': `64 ${ADD_KEY} :user :${PLANTED} @ 8 ${USER_KEYRING}`,
  'clone into a user namespace': '64 56 0x10000011 0',
  io_uring_setup: '64 425 8 @',
  userfaultfd: '64 323 1',
  perf_event_open: '64 298 @ 0 -1 -1 0',
  'a socket to the hypervisor': '64 41 40 1 0',
  'one behind a high word': '64 41 0x100000028 1 0',
  'one of 32 bits': '32 359 40 1 0',
  AF_ALG: '64 41 38 5 0',
  'unshare a user namespace and mounts': '64 272 0x10020000',
  'mount control groups over its limits': '64 165 :none :/tmp :cgroup2 0 0',
};
const CALLS = Object.values(ATTACKS).join(' , ');
const EPERM = -1;

let supervisor: TestSupervisor;
let secret: number;

beforeAll(async () => {
  const value = Buffer.from('s3cret');
  secret = systemCall(ADD_KEY, ['user', SECRET, value, value.length, USER_KEYRING]);
  expect(secret).toBeGreaterThan(0);
  supervisor = await new TestSupervisor().start();
  mkdirSync(join(supervisor.base, 'build'));
  makeCaller(join(supervisor.base, 'build/caller'));
  // As a child: what it does to itself ends with it.
  const run = shell(`mkdir /tmp; busybox setsid /caller ${CALLS}; ${IDLE}`);
  supervisor.drop(
    'prey.yaml',
    `${BUSYBOX_IMAGE}containers:
  prey:
    image: busybox
    command: ${run}
    volumes: ["${supervisor.base}/build/caller:/caller:ro", "${supervisor.base}/build:/out"]
    health: { readiness: { exec: [busybox, sh, -c, "busybox setsid /caller ${CALLS} > /out/probe"], interval: 200ms } }
`,
  );
  await supervisor.waitFor('prey', 'ready', ({ ready }) => ready);
});
afterAll(async () => {
  const planted = systemCall(KEYCTL, [KEYCTL_SEARCH, USER_KEYRING, 'user', PLANTED, 0]);
  for (const key of [secret, planted]) systemCall(KEYCTL, [KEYCTL_UNLINK, key, USER_KEYRING]);
  await supervisor.destroy();
});

const answers = (text: string): Record<string, number> => {
  const numbers = (text.match(/^-?\d+$/gm) ?? []).map(Number);
  return Object.fromEntries(Object.keys(ATTACKS).map((name, index) => [name, numbers[index] ?? Number.NaN]));
};
const refused = Object.fromEntries(Object.keys(ATTACKS).map((name) => [name, EPERM]));

test('a run', async () => {
  const log = await until('the calls of the run', async () => {
    const text = await supervisor.ok('logs', 'prey');
    return (text.match(/^-?\d+$/gm) ?? []).length >= Object.keys(ATTACKS).length ? text : null;
  });
  expect(answers(log)).toEqual(refused);
});

test.each([{ flags: [] }, { flags: ['-t'] }])('an exec session $flags', async ({ flags }) => {
  const out = await supervisor.ok('exec', ...flags, 'prey', '/caller', ...CALLS.split(' '));
  expect(answers(out.replaceAll('\r', ''))).toEqual(refused);
});

test('a probe', async () => {
  expect(answers(await supervisor.ok('exec', 'prey', 'busybox', 'cat', '/out/probe'))).toEqual(refused);
});

test('a RUN step', async () => {
  const words = JSON.stringify(['/caller', ...CALLS.split(' ')]);
  const file = `FROM scratch\nCOPY caller /caller\nCOPY caller /tmp/caller\nRUN ${words}\n`;
  writeFileSync(join(supervisor.base, 'build/Dockerfile'), file);
  const { status, stdout, stderr } = await supervisor.cli('build', '--no-cache', join(supervisor.base, 'build'));
  expect(`${status}\n${stderr}`).toMatch(/^0\n/);
  const shown = `${stdout}\n${stderr}`.replace(/^.*?(-?\d+)$/gm, '$1');
  expect(shown.match(/^-1$/gm)?.length).toBe(Object.keys(ATTACKS).length);
});

test('no file was planted on the host', () => {
  expect(systemCall(KEYCTL, [KEYCTL_SEARCH, USER_KEYRING, 'user', PLANTED, 0])).toBeLessThan(0);
});
