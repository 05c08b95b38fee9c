import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SupervisorClient } from '../../src/api/client.ts';
import type { JobsView } from '../../src/api/jobs.ts';
import { app, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

interface Event {
  readonly status: string;
  readonly id: string;
  readonly from?: string;
  readonly time: number;
}

let supervisor: TestSupervisor;
const children: ChildProcess[] = [];

beforeEach(() => {
  supervisor = new TestSupervisor();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await supervisor.destroy();
});

const events = (text: string): Event[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
const running = async (): Promise<JobsView['running']> =>
  (JSON.parse(await supervisor.ok('jobs', '-o', 'json')) as JobsView).running;

/** What a follower of events has read. */
function follow(...args: readonly string[]): () => Event[] {
  const child = spawn(supervisor.program, ['job', 'events', ...args], {
    env: { ...process.env, TSDOCKER_HOST: supervisor.socket },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let text = '';
  child.stdout.on('data', (chunk) => {
    text += chunk;
  });
  return () => events(text.slice(0, text.lastIndexOf('\n') + 1));
}

test('events are a live feed with Docker’s words; the timeline has those of before', async () => {
  await supervisor.start();
  const live = follow();
  await until('a subscriber', async () => (await supervisor.ok('job', 'subscribers_count')) === '{"count":1}\n');
  supervisor.drop('app.yaml', app(`  it: { image: busybox, command: ${FOREVER} }\n`));
  const { id } = await supervisor.waitFor('it', 'running', ({ phase }) => phase === 'Running');
  await supervisor.ok('stop', 'it');
  const died = await until('the end', () => live().find(({ status }) => status === 'die'));
  expect(died.id).toBe(id);
  expect(live().map(({ status }) => status)).toEqual(expect.arrayContaining(['pull', 'create', 'start', 'die']));
  await supervisor.ok('job', 'log', 'promote', id, 'busybox:latest');
  expect(await until('the event', () => live().find(({ status }) => status === 'promote'))).toMatchObject({
    id,
    from: 'busybox:latest',
  });
  await supervisor.crash();
  await supervisor.start();
  const now = Math.ceil(Date.now() / 1000);
  const past = events(await supervisor.ok('job', 'events', '--env', 'since=0', '--env', `until=${now}`));
  expect(past.filter((event) => event.id === id).map(({ status }) => status)).toEqual(
    expect.arrayContaining(['create', 'start', 'die', 'promote']),
  );
  expect(await supervisor.ok('job', 'subscribers_count')).toBe('{"count":0}\n');
});

test('wrong times and words are errors', async () => {
  await supervisor.start();
  expect((await supervisor.cli('job', 'events', '--env', 'since=yesterday')).stderr).toContain('since is no time');
  expect((await supervisor.cli('job', 'log', 'only')).stderr).toContain('log needs STATUS and ID');
  expect((await supervisor.cli('job', 'log', 'two words', 'x')).status).toBe(1);
});

test('serveapi runs as long as the supervisor, and what only it runs is refused', async () => {
  await supervisor.start('--log-level', 'debug');
  expect(await running()).toMatchObject([
    { name: 'serveapi', args: [supervisor.socket], env: expect.arrayContaining(['BufferRequests=1']), by: null },
  ]);
  for (const name of ['serveapi', 'acceptconnections']) {
    expect(await supervisor.cli('job', name), name).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('It runs at the start of the supervisor.'),
    });
  }
  expect(supervisor.log).toMatch(/\+job serveapi\(.*\n(.*\n)*.*-job acceptconnections\(\) = OK \(0\)/);
});

test('a request during the start waits until the start is over', async () => {
  await supervisor.start();
  supervisor.drop('app.yaml', app(`  it: { image: busybox, command: ${FOREVER} }\n`));
  await supervisor.waitFor('it', 'running', ({ phase }) => phase === 'Running');
  await supervisor.crash();
  const starting = supervisor.start('--log-level', 'debug');
  await until('the socket', () => existsSync(join(supervisor.runDir, 'tsdocker.sock')));
  const client = new SupervisorClient(supervisor.socket);
  const answer = await until('an answer', () => client.list('containers'));
  await starting;
  // Answered only after it was taken over.
  expect(answer).toMatchObject([{ name: 'it', phase: 'Running' }]);
  const log = supervisor.log.slice(supervisor.log.lastIndexOf('+job serveapi'));
  expect(log.indexOf('-job acceptconnections')).toBeGreaterThan(log.indexOf('took over what was there'));
  expect(log.indexOf('+job list(containers)')).toBeGreaterThan(log.indexOf('+job acceptconnections'));
});
