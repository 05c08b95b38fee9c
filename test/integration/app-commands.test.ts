/** Commands on all containers of an app, with real containers. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ContainerView } from '../../src/api/views/resource-views.ts';
import { BUSYBOX_IMAGE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const supervisor = new TestSupervisor();
const NAMES = ['db', 'front', 'web'];
const SERVE = shell("trap 'exit 0' TERM; echo begin; while :; do sleep 0.05; done");

beforeAll(async () => {
  await supervisor.start();
  // db is ready some time after it started: until then the others are parked.
  supervisor.drop(
    'shop.yaml',
    `${BUSYBOX_IMAGE}containers:
  db:
    image: busybox
    command: ${shell("trap 'exit 0' TERM; rm -f /ready; sleep 1; : > /ready; while :; do sleep 0.05; done")}
    health: { readiness: { exec: [busybox, test, -e, /ready], interval: 100ms } }
    restart: always
  web: { image: busybox, command: ${SERVE}, links: [db], restart: always }
  front: { image: busybox, command: ${SERVE}, links: [web], restart: always }
`,
  );
  supervisor.drop(
    'other.yaml',
    `${BUSYBOX_IMAGE}containers:
  bystander: { image: busybox, command: ${SERVE} }
  behind: { image: busybox, command: ${SERVE}, links: [bystander] }
`,
  );
  for (const name of [...NAMES, 'bystander', 'behind']) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
});

afterAll(async () => {
  await supervisor.destroy();
});

async function members(app: string): Promise<Readonly<Record<string, ContainerView>>> {
  const found = JSON.parse(await supervisor.ok('get', `${app}/`, '-o', 'json')) as ContainerView[];
  return Object.fromEntries(found.map((view) => [view.name, view]));
}

/** Names in the order of one of their times. */
async function inOrderOf(time: 'startedAt' | 'finishedAt', app = 'shop'): Promise<readonly string[]> {
  return Object.values(await members(app))
    .toSorted((a, b) => Date.parse(a[time] ?? '') - Date.parse(b[time] ?? ''))
    .map(({ name }) => name);
}

const lines = (text: string): string[] => text.trimEnd().split('\n');
const sorted = (text: string): string[] => lines(text).sort();

test('stop begins with dependents, start with dependencies, and neither touches other apps', async () => {
  const bystander = await supervisor.container('bystander');
  expect(sorted(await supervisor.ok('stop', 'shop/'))).toEqual(NAMES.map((name) => `shop/${name}`));
  expect(Object.values(await members('shop')).map(({ phase, pid }) => [phase, pid])).toEqual(
    NAMES.map(() => ['Exited', null]),
  );
  expect(await inOrderOf('finishedAt')).toEqual(['front', 'web', 'db']);

  expect(sorted(await supervisor.ok('start', 'shop/'))).toEqual(NAMES.map((name) => `shop/${name} ready`));
  expect(await inOrderOf('startedAt')).toEqual(['db', 'web', 'front']);
  expect(await supervisor.container('bystander')).toEqual(bystander);
});

test('restart starts a new run of each container in stop and start order, in one pass', async () => {
  const before = await members('shop');
  expect(sorted(await supervisor.ok('restart', 'shop/'))).toEqual(NAMES.map((name) => `shop/${name} ready`));
  const after = await members('shop');
  for (const name of NAMES) expect(after[name]?.pid).not.toBe(before[name]?.pid);

  await supervisor.ok('restart', 'other/');
  expect(await inOrderOf('finishedAt', 'other')).toEqual(['behind', 'bystander']);
  expect(await inOrderOf('startedAt', 'other')).toEqual(['bystander', 'behind']);
});

test('logs merges by time and labels each line, why and describe show each container', async () => {
  const logs = lines(await supervisor.ok('logs', '-t', 'shop/'));
  expect(new Set(logs.map((line) => line.split(' | ')[0]?.trim()))).toEqual(new Set(['shop/web', 'shop/front']));
  const times = logs.map((line) => Date.parse(line.split(' | ')[1]?.split(' ')[0] ?? ''));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  const why = JSON.parse(await supervisor.ok('why', 'shop/', '-o', 'json')) as { resource: string }[];
  expect(why.map(({ resource }) => resource).sort()).toEqual(NAMES.map((name) => `container/shop/${name}`));
  const described = JSON.parse(await supervisor.ok('describe', 'shop/', '-o', 'json')) as { kind: string }[];
  expect(described.map(({ kind }) => kind)).toEqual(NAMES.map(() => 'container'));
});

test('kill signals running containers, wait prints each exit', async () => {
  await supervisor.ok('stop', 'front');
  const before = await members('shop');
  expect(sorted(await supervisor.ok('kill', 'shop/'))).toEqual(['shop/db', 'shop/web']);
  for (const name of ['db', 'web']) {
    await supervisor.waitFor(name, 'running again', ({ pid }) => pid !== null && pid !== before[name]?.pid);
  }
  await supervisor.ok('stop', 'shop/');
  expect(sorted(await supervisor.ok('wait', 'shop/'))).toEqual(NAMES.map((name) => `shop/${name} 0`));
  expect(await supervisor.cli('kill', 'shop/')).toMatchObject({ status: 1, stdout: '' });
});

test('an unknown app is an error that suggests the intended one', async () => {
  const commands = ['stop', 'start', 'restart', 'kill', 'wait', 'logs', 'get', 'why', 'describe'];
  for (const command of commands) {
    const { status, stdout, stderr } = await supervisor.cli(command, 'shpo/');
    expect([command, status, stdout]).toEqual([command, 1, '']);
    expect(stderr).toContain('error: no app shpo has containers\nhint: Did you mean shop/? ');
  }
});
