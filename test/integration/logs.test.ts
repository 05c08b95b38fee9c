import { type ChildProcess, execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { app, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
const followers: ChildProcess[] = [];

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  for (const follower of followers.splice(0)) follower.kill();
  await supervisor.destroy();
});

function follow(...names: string[]) {
  const seen = { stdout: '', stderr: '' };
  const env = { ...process.env, TSDOCKER_HOST: supervisor.socket };
  const child = execFile(resolve(import.meta.dirname, '../../bin/tsdocker'), ['logs', '-f', ...names], { env });
  followers.push(child);
  child.stdout?.on('data', (chunk: string) => {
    seen.stdout += chunk;
  });
  child.stderr?.on('data', (chunk: string) => {
    seen.stderr += chunk;
  });
  return seen;
}

const numbers = (text: string): number[] => text.split('\n').slice(0, -1).map(Number);
const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('a log stays within its budget, and a follower loses no line during rotation', async () => {
  const lines = 20_000;
  const flood = `until [ -e /gate/go ]; do sleep 0.05; done; seq 0 ${lines - 1}; ${IDLE}`;
  supervisor.file('gate/kept', '');
  const container = (name: string, log: string) =>
    `  ${name}: { image: busybox, command: ${shell(flood)}, volumes: [ "${supervisor.base}/gate:/gate" ], log: ${log} }\n`;
  const small = container('small', '{ maxSize: 128KiB, maxFiles: 3 }');
  supervisor.drop('app.yaml', app(small + container('large', '{ maxSize: 128KiB, maxFiles: 100 }')));
  const { id } = await supervisor.waitFor('small', 'runs', ({ phase }) => phase === 'Running');
  await supervisor.waitFor('large', 'runs', ({ phase }) => phase === 'Running');
  const seen = follow('large');
  supervisor.file('gate/go', '');
  await until('the end is seen', () => seen.stdout.endsWith(`\n${lines - 1}\n`));
  expect(numbers(seen.stdout)).toEqual(range(lines));

  const directory = join(supervisor.root, 'containers', id);
  await until('the small one has written all', async () => {
    return (await supervisor.ok('logs', '--tail', '1', 'small')) === `${lines - 1}\n`;
  });
  const files = readdirSync(directory).filter((name) => name.includes('-json.log'));
  expect(files).toHaveLength(3);
  for (const name of files) expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(128 * 1024);
  const rest = numbers(await supervisor.ok('logs', 'small'));
  expect(rest).toEqual(range(lines).slice(-rest.length));
});

test('a follower gets each line once despite restarts, recreation and kill -9 of the supervisor', async () => {
  const ticking = (mode: string) =>
    shell(`i=0; trap "exit 0" TERM; while :; do echo "${mode} $i"; i=$((i+1)); sleep 0.02 & wait; done`);
  const manifest = (mode: string, more = '') =>
    app(`  web: { image: busybox, command: ${ticking(mode)}, restart: always${more} }\n`);
  supervisor.drop('app.yaml', manifest('first'));
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const seen = follow('web');
  await until('it ticks', () => seen.stdout.includes('first 5\n'));
  await supervisor.ok('restart', 'web');
  await until('it ticks again', () => seen.stdout.split('first 5\n').length === 3);

  const before = await supervisor.container('web');
  supervisor.drop('app.yaml', manifest('second', ', readOnly: true'));
  await until('the new one ticks', () => seen.stdout.includes('second 5\n'));
  expect((await supervisor.container('web'))?.id).not.toBe(before?.id);

  await supervisor.crash();
  await until('the report of the loss', () => seen.stderr.includes('went away'));
  await supervisor.start();
  await until('the report of the return', () => seen.stderr.includes('is back'));
  await supervisor.ok('stop', 'web');
  const whole = await supervisor.ok('logs', 'web');
  await until('the end is seen', () => seen.stdout.endsWith(whole.slice(-30)));

  const runs: string[][] = [];
  for (const line of seen.stdout.trimEnd().split('\n')) {
    if (line.endsWith(' 0')) runs.push([]);
    runs.at(-1)?.push(line);
  }
  expect(runs.map(([first]) => first)).toEqual(['first 0', 'first 0', 'second 0']);
  for (const run of runs) expect(run).toEqual(run.map((line, index) => `${line.split(' ')[0]} ${index}`));
  expect(`${runs[2]?.join('\n')}\n`).toBe(whole);
});

test('logs of an app are merged in order of time', async () => {
  const script = (name: string, wait: string) => shell(`${wait} echo ${name} one; echo ${name} two >&2; ${IDLE}`);
  supervisor.drop(
    'app.yaml',
    app(
      `  db: { image: busybox, command: ${script('db', '')} }\n` +
        `  web: { image: busybox, command: ${script('web', '')}, links: [db] }\n`,
    ),
  );
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  await until('all is written', async () => (await supervisor.ok('logs', 'web')).includes('web one'));
  const { stdout, stderr } = await supervisor.cli('logs', 'app/');
  expect(stdout).toBe('app/db  | db one\napp/web | web one\n');
  expect(stderr).toBe('app/db  | db two\napp/web | web two\n');
  expect((await supervisor.cli('logs', 'nope/')).stderr).toContain('no app nope has containers');
});
