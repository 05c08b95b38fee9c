/** The stage of a shutdown in which containers are stopped: its order, its time, and who may cut it short. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { armed } from '../support/armed.ts';
import { app, FOREVER, shell } from '../support/manifests.ts';
import { StoppingManager } from '../support/service-manager.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
let shared: string;
let cleanups: (() => void)[];

beforeEach(() => {
  cleanups = [];
  supervisor = new TestSupervisor();
  shared = join(supervisor.base, 'shared');
  mkdirSync(shared);
});

afterEach(async () => {
  for (const cleanup of cleanups) cleanup();
  await supervisor.destroy();
});

/** How long the service manager waits by itself: for a command of its own to reach the supervisor on a busy host. */
const PATIENCE_MS = 5_000;

const alive = (pid: number | null | undefined) => existsSync(`/proc/${pid}`);
const isThere = (name: string) => existsSync(join(shared, name));
const order = () => readFileSync(join(shared, 'order'), 'utf8').trim().split('\n');

/** Runs until it is asked to end; then it notes that, does `last`, and notes its end. */
function noting(name: string, last: string): string {
  const end = `echo ${name} asked >> /shared/order; > /shared/${name}; ${last}; echo ${name} gone >> /shared/order; exit 0`;
  return shell(`trap "${end}" TERM; while :; do sleep 3600 & wait; done`);
}

const untilFile = (name: string) => `until [ -e /shared/${name} ]; do sleep 0.05; done`;

interface Part {
  readonly command: string;
  readonly fields?: string;
}

async function declare(parts: Readonly<Record<string, Part>>): Promise<Record<string, number>> {
  const lines = Object.entries(parts).map(
    ([name, { command, fields = '' }]) =>
      `  ${name}: { image: busybox, command: ${command}, volumes: ["${shared}:/shared"], restart: always${fields} }\n`,
  );
  supervisor.drop('app.yaml', app(lines.join('')));
  const pids: Record<string, number> = {};
  for (const name of Object.keys(parts)) {
    const { pid } = await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
    await armed(pid);
    pids[name] = pid ?? 0;
  }
  return pids;
}

/** Sends a signal and waits until it has been counted. */
async function repeat(count: number): Promise<void> {
  supervisor.signal('SIGTERM');
  await until(`signal ${count}`, () => supervisor.log.includes(`signal ${count} of 4`));
}

async function nothingToDo(): Promise<void> {
  // Lines before it say that the directory they share is not pinned.
  await until('an empty plan', async () => (await supervisor.ok('plan')).endsWith('Nothing to do.\n'));
}

test('containers stop one after the other in reverse link order, each when those that need it are gone', async () => {
  await supervisor.start('--stop-containers');
  await declare({
    front: { command: noting('front', untilFile('go-front')), fields: ', links: [middle], stopTimeout: 60s' },
    middle: { command: noting('middle', untilFile('go-middle')), fields: ', dependsOn: [back], stopTimeout: 60s' },
    back: { command: noting('back', ':') },
    other: { command: noting('other', ':') },
  });
  supervisor.signal('SIGTERM');
  // The one that nothing needs does not wait for the others.
  await until('the first two asked', () => isThere('front') && isThere('other'));
  writeFileSync(join(shared, 'go-front'), '');
  await until('the next asked', () => isThere('middle'));
  writeFileSync(join(shared, 'go-middle'), '');
  expect(await supervisor.gone()).toEqual({ code: 0, signal: null });
  const chain = order().filter((line) => !line.startsWith('other'));
  expect(chain).toEqual(['front asked', 'front gone', 'middle asked', 'middle gone', 'back asked', 'back gone']);
  await supervisor.start();
  for (const name of ['front', 'middle', 'back', 'other']) {
    await supervisor.waitFor(name, 'running again', ({ ready }) => ready);
  }
  await nothingToDo();
});

test('each container has its own stop timeout', async () => {
  await supervisor.start('--stop-containers');
  await declare({
    deaf: { command: shell('trap "" TERM; while :; do sleep 3600; done'), fields: ', stopTimeout: 100ms' },
    slow: { command: noting('slow', untilFile('go')), fields: ', stopTimeout: 60s' },
  });
  const [deaf, slow] = [await supervisor.container('deaf'), await supervisor.container('slow')];
  supervisor.signal('SIGTERM');
  expect(await supervisor.exitRecord(deaf?.id ?? '')).toMatchObject({ exitCode: 137 });
  writeFileSync(join(shared, 'go'), '');
  expect(await supervisor.gone()).toEqual({ code: 0, signal: null });
  expect(await supervisor.exitRecord(slow?.id ?? '')).toMatchObject({ exitCode: 0 });
});

test.each(['a signal', 'host-shutdown'])(
  'a database that needs longer than the service manager waits ends with 0: %s',
  async (way) => {
    const manager = new StoppingManager(join(supervisor.base, 'notify'));
    cleanups.push(() => manager.close());
    process.env.NOTIFY_SOCKET = join(supervisor.base, 'notify');
    try {
      await supervisor.start(...(way === 'a signal' ? ['--stop-containers'] : []));
    } finally {
      delete process.env.NOTIFY_SOCKET;
    }
    await declare({
      db: {
        command: noting('db', untilFile('go')),
        fields: ', stopTimeout: 120s',
      },
    });
    const { id = '' } = (await supervisor.container('db')) ?? {};
    const extensions = () => manager.messages.filter((line) => line.startsWith('EXTEND_TIMEOUT_USEC='));
    manager.beginStop(supervisor.pid, PATIENCE_MS);
    const shutdown = way === 'a signal' ? null : supervisor.cli('host-shutdown', '--now');
    if (shutdown === null) supervisor.signal('SIGTERM');
    // The database ends when the time has been over for long.
    await until('extensions beyond the time', () => extensions().length > PATIENCE_MS / 1_000);
    writeFileSync(join(shared, 'go'), '');
    expect(await shutdown).toEqual(shutdown && { status: 0, stdout: 'Stopped 1 container.\n', stderr: '' });
    if (shutdown !== null) supervisor.signal('SIGTERM');
    expect(await supervisor.gone()).toEqual({ code: 0, signal: null });
    expect(manager.hasKilled).toBe(false);
    expect(await supervisor.exitRecord(id)).toMatchObject({ exitCode: 0, signal: null });
  },
);

test('the third signal leaves containers that were not asked running, and the asked one to its shim', async () => {
  await supervisor.start('--stop-containers');
  const pids = await declare({
    front: { command: noting('front', untilFile('never')), fields: ', links: [back], stopTimeout: 3s' },
    back: { command: noting('back', ':') },
  });
  const { id = '' } = (await supervisor.container('front')) ?? {};
  supervisor.signal('SIGTERM');
  await until('the front asked', () => isThere('front'));
  await repeat(2);
  expect(alive(pids.front)).toBe(true);
  supervisor.signal('SIGTERM');
  expect(await supervisor.gone()).toEqual({ code: 0, signal: null });
  expect(isThere('back')).toBe(false);
  // Without a supervisor, by its shim.
  expect(await supervisor.exitRecord(id)).toMatchObject({ exitCode: 137 });
  expect(alive(pids.back)).toBe(true);
  await supervisor.start();
  await supervisor.waitFor('front', 'running again', ({ ready, pid }) => ready && pid !== pids.front);
  expect(await supervisor.container('back')).toMatchObject({ pid: pids.back, restarts: 0 });
  await nothingToDo();
});

test('a supervisor killed in the middle leaves no container half stopped', async () => {
  await supervisor.start('--stop-containers');
  const pids = await declare({
    front: { command: noting('front', untilFile('never')), fields: ', links: [back], stopTimeout: 2s' },
    back: { command: noting('back', ':') },
  });
  const { id = '' } = (await supervisor.container('front')) ?? {};
  supervisor.signal('SIGTERM');
  await until('the front asked', () => isThere('front'));
  // The shim got the time together with the signal.
  await supervisor.crash();
  expect(await supervisor.exitRecord(id)).toMatchObject({ exitCode: 137 });
  expect([isThere('back'), alive(pids.back)]).toEqual([false, true]);
  await supervisor.start();
  await supervisor.waitFor('front', 'running again', ({ ready, pid }) => ready && pid !== pids.front);
  await nothingToDo();
});

test('host-shutdown names what a third signal left running', async () => {
  await supervisor.start();
  await declare({
    front: { command: noting('front', untilFile('never')), fields: ', links: [back], stopTimeout: 2s' },
    back: { command: noting('back', ':') },
  });
  const shutdown = supervisor.cli('host-shutdown', '--now');
  await until('the front asked', () => isThere('front'));
  supervisor.signal('SIGTERM');
  await until('the first signal', () => supervisor.log.includes('stopping'));
  await repeat(2);
  supervisor.signal('SIGTERM');
  expect(await supervisor.gone()).toEqual({ code: 0, signal: null });
  const { status, stderr } = await shutdown;
  expect([status, stderr]).toEqual([1, expect.stringContaining('2 containers still run: app-back, app-front')]);
});

test('a container whose shim cannot end it is waited for after the third signal; the fourth ends the supervisor at once', async () => {
  await supervisor.start();
  const pids = await declare({
    db: { command: noting('db', untilFile('go')), fields: ', stopTimeout: 10m' },
    free: { command: FOREVER },
  });
  await supervisor.stop();
  // Such a shim is followed by its process alone.
  rmSync(join(supervisor.runDir, 'shim'), { recursive: true });
  await supervisor.start('--stop-containers');
  await until('both taken over', async () => (await supervisor.containers()).every(({ pid }) => pid !== null));
  const { id = '' } = (await supervisor.container('db')) ?? {};
  supervisor.signal('SIGTERM');
  await until('the database asked', () => isThere('db'));
  await until('the other gone', () => !alive(pids.free));
  await repeat(2);
  await repeat(3);
  await supervisor.ok('version');
  supervisor.signal('SIGTERM');
  expect(await supervisor.gone()).toEqual({ code: 143, signal: null });
  expect(alive(pids.db)).toBe(true);
  writeFileSync(join(shared, 'go'), '');
  expect(await supervisor.exitRecord(id)).toMatchObject({ exitCode: 0 });
  await supervisor.start();
  for (const name of ['db', 'free']) await supervisor.waitFor(name, 'running again', ({ ready }) => ready);
  await nothingToDo();
});
