/**
 * Texts of strangers that the commands of Docker's client print: labels, variables, command lines, process names, names of
 * clients, and what programs and paths in errors are called. None of them reaches a terminal as a control sequence.
 */

import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestSupervisor } from '../support/supervisor.ts';

const OBEYED = /(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;
/** Clears the screen, sets a title, moves the cursor, reverses a line. */
const HOSTILE = '\u001b[2J\u001b]0;title\u0007\u009b31m\u202e\r';

let supervisor: TestSupervisor;

/** As a client that calls itself what it wants. */
function send(method: string, path: string, body: unknown): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'user-agent': `evil\u009b2J` };
    const socketPath = supervisor.socket.replace('unix://', '');
    const asked = request({ socketPath, method, path, headers, agent: false }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode ?? 0));
    });
    asked.once('error', reject);
    asked.end(JSON.stringify(body));
  });
}

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  const text = `app: app\nimages: { busybox: { host: [busybox, sh] } }\ncontainers:\n  kept: { image: busybox, command: [busybox, sleep, "100000"] }\n`;
  writeFileSync(join(supervisor.base, 'app.yaml'), text);
  await supervisor.ok('apply', '--wait=60s', '-f', join(supervisor.base, 'app.yaml'));
  await supervisor.ok('tag', (await supervisor.waitFor('kept', 'ready', ({ ready }) => ready)).imageId ?? '', 'bb:1');
  const Labels = { key: `value${HOSTILE}` };
  const Cmd = ['busybox', 'sh', '-c', 'while :; do busybox sleep 1; done', HOSTILE];
  const container = { Image: 'bb:1', Labels, Cmd, Env: [`NAME=v${HOSTILE}`], StopSignal: 'SIGKILL' };
  expect(await send('POST', '/containers/create?name=hostile', container)).toBe(201);
  expect(await send('POST', '/containers/hostile/start', {})).toBe(204);
  expect(await send('POST', '/networks/create', { Name: 'lan', Labels, Options: { anything: HOSTILE } })).toBe(201);
  expect(await send('POST', '/volumes/create', { Name: 'data', Labels })).toBe(201);
});

afterAll(async () => {
  await supervisor.destroy();
});

test.each([
  ['ps', '-a', '--no-trunc'],
  ['ps', '-a', '-o', 'json'],
  ['ps', '-a', '-o', 'yaml'],
  ['top', 'hostile'],
  ['top', 'hostile', '-o', 'json'],
  ['stats', 'hostile'],
  ['inspect', 'hostile'],
  ['inspect', 'hostile', '-o', 'yaml'],
  ['network', 'ls'],
  ['network', 'ls', '-o', 'yaml'],
  ['network', 'inspect', 'lan'],
  ['volume', 'ls'],
  ['volume', 'ls', '-o', 'json'],
  ['volume', 'inspect', 'data'],
  ['events'],
  ['events', '-o', 'json'],
  ['get', 'containers'],
  ['describe', 'hostile'],
  ['why', 'hostile'],
  ['history'],
] as const)('%s %s %s', async (...args) => {
  const { stdout, stderr } = await supervisor.cli(...args.filter((word) => word !== undefined));
  expect(stdout).not.toMatch(OBEYED);
  expect(stderr).not.toMatch(OBEYED);
  expect(stdout + stderr).not.toBe('');
});

test.each([
  ['run', '--rm', 'bb:1', `nofile${HOSTILE}`],
  ['run', '--rm', '-w', `/w${HOSTILE}`, 'bb:1', 'nofile'],
  ['run', '--rm', '-u', `u${HOSTILE}`, 'bb:1', 'busybox', 'true'],
  ['run', '--rm', '-v', `/x${HOSTILE}:relative`, 'bb:1', 'busybox', 'true'],
  ['run', '--rm', '--network', `n${HOSTILE}`, 'bb:1', 'busybox', 'true'],
  ['run', '--rm', '--name', `n${HOSTILE}`, 'bb:1', 'busybox', 'true'],
  ['run', '-d', '-p', `80${HOSTILE}:80`, 'bb:1', 'busybox', 'true'],
  ['exec', 'hostile', `nofile${HOSTILE}`],
  ['rm', `n${HOSTILE}`],
  ['rename', 'hostile', `n${HOSTILE}`],
  ['update', '--memory', '64m', `n${HOSTILE}`],
  ['inspect', `n${HOSTILE}`],
  ['network', 'rm', `n${HOSTILE}`],
  ['volume', 'rm', `n${HOSTILE}`],
  ['cp', `hostile:/x${HOSTILE}`, '-'],
  ['cp', `x${HOSTILE}`, 'hostile:/'],
  ['ps', '--filter', `k${HOSTILE}=x`],
])('the error of %j %j %j', async (...args) => {
  const { status, stdout, stderr } = await supervisor.cli(...args);
  expect(status).not.toBe(0);
  expect(stdout + stderr).not.toMatch(OBEYED);
  expect(stderr).not.toBe('');
});
