/** The supervisor as a service: its messages to the service manager, and the effect of a stop on containers. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { armed } from '../support/armed.ts';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { notifySocket } from '../support/notify-socket.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

afterEach(async () => {
  await supervisor.destroy();
});

async function startAsService(notifySocketPath: string, watchdogUsec: string): Promise<void> {
  try {
    process.env.NOTIFY_SOCKET = notifySocketPath;
    process.env.WATCHDOG_USEC = watchdogUsec;
    await supervisor.start();
  } finally {
    delete process.env.NOTIFY_SOCKET;
    delete process.env.WATCHDOG_USEC;
  }
}

const alive = (pid: number | null | undefined) => existsSync(`/proc/${pid}`);

test('sends READY, STATUS, WATCHDOG and STOPPING to the service manager, and containers do not inherit the socket', async () => {
  supervisor = new TestSupervisor();
  const path = join(supervisor.base, 'notify');
  const socket = notifySocket(path);
  await startAsService(path, '200000');
  await until('READY', () => socket.messages().includes('READY=1'));
  expect(socket.messages()).toContain(`MAINPID=${supervisor.pid}`);
  expect(socket.messages().some((line) => line.startsWith('STATUS=generation'))).toBe(true);
  await until('two WATCHDOG messages', () => socket.messages().filter((line) => line === 'WATCHDOG=1').length >= 2);
  supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n`);
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const env = await supervisor.ok('exec', 'web', '--', 'busybox', 'env');
  expect(env).not.toContain('NOTIFY_SOCKET');
  await supervisor.stop();
  expect(socket.messages()).toContain('STOPPING=1');
  socket.close();
});

test('continues when the service manager stops listening', async () => {
  supervisor = new TestSupervisor();
  const path = join(supervisor.base, 'notify');
  const socket = notifySocket(path);
  await startAsService(path, '100000');
  await until('a WATCHDOG message', () => socket.messages().includes('WATCHDOG=1'));
  socket.close();
  rmSync(path);
  await until('a warning', () => supervisor.log.includes('the service manager does not listen'));
  supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n`);
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
});

test('a manual stop during a host shutdown lasts', async () => {
  supervisor = await new TestSupervisor().start();
  const slow = shell('trap "echo ending; sleep 1; exit 0" TERM; while :; do sleep 3600 & wait; done');
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:
  web: { image: busybox, command: ${slow}, links: [db] }
  db: { image: busybox, command: ${FOREVER}, restart: always }
`,
  );
  for (const name of ['web', 'db']) await armed((await supervisor.waitFor(name, 'ready', ({ ready }) => ready)).pid);
  const shutdown = supervisor.ok('host-shutdown', '--now');
  await until('the shutdown', async () => (await supervisor.ok('logs', 'web')).includes('ending'));
  await Promise.all([supervisor.ok('stop', 'db'), shutdown]);
  await supervisor.stop();
  await supervisor.start();
  const stopped = ({ message }: { readonly message: string }) => message.startsWith('stopped until');
  expect(await supervisor.waitFor('db', 'stopped', stopped)).toMatchObject({ pid: null });
});

test('a start during a host shutdown is refused, also for a running container', async () => {
  supervisor = await new TestSupervisor().start();
  const slow = shell('trap "echo ending; sleep 2; exit 0" TERM; while :; do sleep 3600 & wait; done');
  supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${slow} }\n`);
  await armed((await supervisor.waitFor('web', 'ready', ({ ready }) => ready)).pid);
  const shutdown = supervisor.ok('host-shutdown', '--now');
  await until('the shutdown', async () => (await supervisor.ok('logs', 'web')).includes('ending'));
  const { status, stderr } = await supervisor.cli('start', 'web');
  expect([status, stderr]).toEqual([1, expect.stringContaining('cannot be started: the host was shut down')]);
  await shutdown;
  await supervisor.stop();
  await supervisor.start();
  await supervisor.waitFor('web', 'running again', ({ phase }) => phase === 'Running');
});

test('a host shutdown keeps the timeout of a stop in progress', async () => {
  supervisor = await new TestSupervisor().start();
  const shared = join(supervisor.base, 'shared');
  mkdirSync(shared);
  const slow = shell(
    'trap "echo ending; until [ -e /shared/go ]; do sleep 0.1; done; exit 7" TERM; while :; do sleep 3600 & wait; done',
  );
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:
  web: { image: busybox, command: ${slow}, volumes: ["${shared}:/shared"], stopTimeout: 1ms }
  other: { image: busybox, command: ${FOREVER} }
`,
  );
  for (const name of ['web', 'other']) await armed((await supervisor.waitFor(name, 'ready', ({ ready }) => ready)).pid);
  const stop = supervisor.ok('stop', '-t', '10m', 'web');
  await until('the stop', async () => (await supervisor.ok('logs', 'web')).includes('ending'));
  const shutdown = supervisor.ok('host-shutdown', '--now');
  await supervisor.waitFor('other', 'stopped', ({ phase }) => phase === 'Exited');
  writeFileSync(join(shared, 'go'), '');
  await Promise.all([stop, shutdown]);
  expect(await supervisor.container('web')).toMatchObject({ phase: 'Exited', exitCode: 7 });
});

test('SIGTERM keeps containers running, and stops them with --stop-containers', async () => {
  supervisor = await new TestSupervisor().start();
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER}, restart: always }\n`,
  );
  const first = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  await supervisor.stop();
  expect(alive(first.pid)).toBe(true);
  await supervisor.start('--stop-containers');
  expect((await supervisor.waitFor('web', 'ready', ({ ready }) => ready)).pid).toBe(first.pid);
  await supervisor.stop();
  expect(alive(first.pid)).toBe(false);
  await supervisor.start();
  await supervisor.waitFor('web', 'started again', ({ ready, pid }) => ready && pid !== first.pid);
});

test('SIGHUP, as from a terminal that is gone, ends cleanly and keeps containers running', async () => {
  supervisor = await new TestSupervisor().start();
  supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n`);
  const first = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  supervisor.signal('SIGHUP');
  expect(await supervisor.gone()).toEqual({ code: 0, signal: null });
  expect(alive(first.pid)).toBe(true);
  await supervisor.start();
  expect((await supervisor.waitFor('web', 'ready', ({ ready }) => ready)).pid).toBe(first.pid);
});

test('a host that stays up after a shutdown request reports what happened and how to continue', async () => {
  supervisor = await new TestSupervisor().start();
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:
  web: { image: busybox, command: ${FOREVER} }
  done: { image: busybox, command: ${shell('exit 0')} }
`,
  );
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  await supervisor.waitFor('done', 'done', ({ phase }) => phase === 'Exited');
  await supervisor.ok('host-shutdown', '--now');
  const why = /the host was shut down by `tsdocker host-shutdown` at 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ/;
  expect(await supervisor.container('web')).toMatchObject({ phase: 'Exited', message: expect.stringMatching(why) });
  expect((await supervisor.container('done'))?.message).not.toMatch(why);
  expect(await supervisor.ok('why', 'web')).toMatch(why);
  for (const command of ['start', 'restart']) {
    const { status, stderr } = await supervisor.cli(command, 'web');
    expect([status, stderr]).toEqual([1, expect.stringMatching(why)]);
    expect(stderr).toContain('systemctl restart tsdocker');
  }
  await supervisor.stop();
  await supervisor.start();
  await supervisor.waitFor('web', 'running again', ({ phase }) => phase === 'Running');
  const told = await supervisor.ok('events');
  expect(told).toContain('it ran when everything was stopped');
  expect(told).not.toContain('start requested');
});

test('after a host shutdown existing resources are ready, and an approval is only stored', async () => {
  supervisor = await new TestSupervisor().start();
  const volumes = supervisor.file('data.yaml', 'volumes: { data: {} }\n');
  const oneShot = supervisor.file(
    'job.yaml',
    `${BUSYBOX_IMAGE}containers:\n  done: { image: busybox, command: ${shell('exit 0')}, restart: no }\n`,
  );
  const doomed = supervisor.file('doomed.yaml', 'volumes: { data: { onRemove: delete } }\n');
  for (const file of [volumes, oneShot, doomed]) await supervisor.ok('apply', '--wait=2m', '-f', file);
  await supervisor.ok('delete', '-f', doomed);
  await until('the approval', async () => (await supervisor.ok('get', 'volumes')).includes('approve'));
  await supervisor.ok('host-shutdown', '--now');
  for (const file of [volumes, oneShot]) {
    for (const wait of [[], ['--wait=10m']]) {
      const { status, stderr } = await supervisor.cli('apply', ...wait, '-f', file);
      expect([file, wait, status, stderr]).toEqual([file, wait, 0, '']);
    }
  }
  const approved = await supervisor.cli('approve', 'volume/doomed/data');
  expect(approved).toMatchObject({ status: 0, stdout: 'approved volume/doomed/data\n' });
  expect(approved.stderr).toMatch(
    /^warning: .*not carried out yet: the host was shut down.*\nhint: .*systemctl restart/,
  );
  expect((await supervisor.cli('approve', 'volume/doomed/other')).stderr).toBe('');
});

test('edits after a host shutdown are kept for the next start and reported as such', async () => {
  supervisor = await new TestSupervisor().start();
  const watched = (fields: string) =>
    `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER}, ${fields} }\n`;
  supervisor.drop('app.yaml', watched('env: { A: one }'));
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const there = supervisor.file('there.yaml', 'volumes: { kept: {} }\n');
  await supervisor.ok('apply', '--wait=2m', '-f', there);
  await supervisor.ok('host-shutdown', '--now');
  expect((await supervisor.cli('info')).stderr).toContain('nothing is carried out any more: the host was shut down');
  const note =
    /not carried out yet: the host was shut down by `tsdocker host-shutdown` at .*\nhint: .*systemctl restart/;

  const file = supervisor.file('other.yaml', 'volumes: { data: {} }\n');
  const applied = await supervisor.cli('apply', '-f', file);
  expect(applied).toMatchObject({ status: 0, stderr: expect.stringMatching(note) });
  // Nothing waits for an event that never comes.
  const waited = await supervisor.cli('apply', '--wait=10m', '-f', file);
  expect(waited).toMatchObject({ status: 1, stderr: expect.stringMatching(note) });
  // A resource that was never created needs no op.
  expect(await supervisor.cli('delete', '-f', file, '--wait=10m')).toMatchObject({ status: 0, stderr: '' });
  const deleted = await supervisor.cli('delete', '-f', there, '--wait=10m');
  expect(deleted).toMatchObject({ status: 1, stderr: expect.stringMatching(note) });
  await supervisor.ok('apply', '-f', file);

  supervisor.drop('app.yaml', watched('env: { A: two }'));
  const told = await until('the edit of the watched file', async () => {
    const events = await supervisor.ok('events');
    return /changed.*env\.A/.test(events) ? events : null;
  });
  expect(told).toMatch(/generation \d+ is not carried out before the next start.*the host was shut down/);
  await supervisor.stop();
  await supervisor.start();
  await supervisor.waitFor('web', 'running again', ({ ready }) => ready);
  expect(await supervisor.ok('exec', 'web', '--', 'busybox', 'sh', '-c', 'echo $A')).toBe('two\n');
  expect(await supervisor.ok('get', 'volumes')).toContain('data');
});

test('at host shutdown containers stop in reverse link order and start again at the next start', async () => {
  supervisor = await new TestSupervisor().start();
  const log = join(supervisor.base, 'shared');
  spawnSync('mkdir', ['-p', log]);
  const noisy = (name: string, signal = 'TERM') =>
    shell(`trap "echo ${name} >> /shared/order; exit 0" ${signal}; while :; do sleep 3600 & wait; done`);
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:
  front: { image: busybox, command: ${noisy('front')}, links: [middle], volumes: ["${log}:/shared"] }
  middle: { image: busybox, command: ${noisy('middle')}, dependsOn: [back], volumes: ["${log}:/shared"] }
  back: { image: busybox, command: ${noisy('back', '37')}, stopSignal: SIGRTMIN+3, volumes: ["${log}:/shared"] }
`,
  );
  for (const [name, signal] of [
    ['front', 15],
    ['middle', 15],
    ['back', 37],
  ] as const)
    await armed((await supervisor.waitFor(name, 'ready', ({ ready }) => ready)).pid, signal);
  expect(await supervisor.ok('host-shutdown', '--now')).toBe('Stopped 3 containers.\n');
  expect(spawnSync('cat', [join(log, 'order')], { encoding: 'utf8' }).stdout).toBe('front\nmiddle\nback\n');
  await supervisor.stop();
  await supervisor.start();
  for (const name of ['front', 'middle', 'back'])
    await supervisor.waitFor(name, 'running again', ({ phase }) => phase === 'Running');
});
