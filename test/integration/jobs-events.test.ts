import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
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

test('each status has the id and the image of its container, or the id of its image, live and when it is read again', async () => {
  await supervisor.start();
  const live = follow();
  await until('a subscriber', async () => (await supervisor.ok('job', 'subscribers_count')) === '{"count":1}\n');
  const manifest = supervisor.drop('app.yaml', app(`  it: { image: busybox, command: ${FOREVER} }\n`));
  const { id } = await supervisor.waitFor('it', 'running', ({ phase }) => phase === 'Running');
  const [{ id: image }] = JSON.parse(await supervisor.ok('job', 'list', 'images')) as [{ id: string }];
  const tar = join(supervisor.base, 'it.tar');
  await supervisor.ok('job', 'export', 'it', tar);
  await supervisor.ok('job', 'import', tar, '--env', 'name=web:imported');
  await supervisor.ok('job', 'tag', 'web:imported', 'web:other');
  const imported = (JSON.parse(await supervisor.ok('job', 'list', 'images')) as { id: string }[]).find(
    (one) => one.id !== image,
  )?.id;
  await supervisor.ok('job', 'image_delete', 'web:other');
  await supervisor.ok('job', 'image_delete', 'web:imported');
  await supervisor.ok('job', 'kill', 'it', 'HUP');
  await supervisor.ok('job', 'kill', 'it', 'KILL');
  await until('the end', () => live().some(({ status }) => status === 'die'));
  await supervisor.waitFor('it', 'running again or at rest', ({ phase }) => phase === 'Running' || phase === 'Exited');
  await supervisor.ok('stop', 'it');
  // The next supervisor has said nothing of the container before it removes it.
  await until('the stop', () => live().some(({ status }) => status === 'kill'));
  const before = live();
  await supervisor.crash();
  await supervisor.start();
  const later = follow();
  await until('a subscriber', async () => (await supervisor.ok('job', 'subscribers_count')) === '{"count":1}\n');
  rmSync(manifest);
  const destroyed = await until('the removal', () => later().find(({ status }) => status === 'destroy'));
  expect(destroyed).toMatchObject({ id, from: 'busybox' });
  const now = Math.ceil(Date.now() / 1000);
  const past = events(await supervisor.ok('job', 'events', '--env', 'since=0', '--env', `until=${now}`));
  for (const status of ['create', 'start', 'export', 'kill', 'die', 'destroy']) {
    const found = past.find((event) => event.status === status);
    expect(found, status).toMatchObject({ id, from: 'busybox' });
  }
  const named = (list: readonly Event[], ...statuses: string[]) =>
    list.filter(({ status }) => statuses.includes(status)).map(({ status, id: of }) => [status, of]);
  for (const list of [before, past]) {
    expect(named(list, 'untag', 'delete')).toEqual([
      ['untag', imported],
      ['untag', imported],
      ['delete', imported],
    ]);
    expect(named(list, 'import', 'tag')).toEqual([
      ['import', tar],
      ['tag', 'web:imported'],
    ]);
    expect(named(list, 'kill'), 'a HUP is no event').toEqual([['kill', id]]);
  }
});

test('a stop of a container that runs is die and stop', async () => {
  await supervisor.start();
  supervisor.drop('app.yaml', app(`  it: { image: busybox, command: ${FOREVER} }\n`));
  const { id } = await supervisor.waitFor('it', 'running', ({ phase }) => phase === 'Running');
  const live = follow();
  await until('a subscriber', async () => (await supervisor.ok('job', 'subscribers_count')) === '{"count":1}\n');
  await supervisor.ok('stop', 'it');
  await until('the stop', () => live().some(({ status }) => status === 'stop'));
  expect(live().map((event) => [event.status, event.id])).toEqual([
    ['die', id],
    ['stop', id],
  ]);
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
