/** Signals to a real supervisor, and a shutdown in the middle of each kind of work: what is there afterwards is whole. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { JobsView } from '../../src/api/jobs.ts';
import { armed } from '../support/armed.ts';
import { Command } from '../support/command.ts';
import { FakeRegistry } from '../support/fake-registry.ts';
import { GatedProxy } from '../support/gated-proxy.ts';
import { buildBase, findBusybox, tarOf } from '../support/images.ts';
import { app, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const HANGING_CLOSE = resolve(import.meta.dirname, '../support/hanging-close.mjs');
const busybox = findBusybox();

let supervisor: TestSupervisor;
let commands: Command[];
let cleanups: (() => Promise<void>)[];

beforeEach(() => {
  supervisor = new TestSupervisor();
  commands = [];
  cleanups = [];
});

afterEach(async () => {
  await Promise.all(commands.map((command) => command.kill()));
  for (const cleanup of cleanups) await cleanup();
  await supervisor.destroy();
});

function begin(...args: readonly string[]): Command {
  const command = new Command(supervisor, ...args);
  commands.push(command);
  return command;
}

/** @param env of the supervisor alone */
async function startWith(env: Readonly<Record<string, string>>): Promise<void> {
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, env);
  try {
    await supervisor.start();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

const alive = (pid: number | null | undefined) => existsSync(`/proc/${pid}`);

/** A registry whose blobs come as fast as the test lets them. */
async function slowRegistry(): Promise<{ registry: FakeRegistry; proxy: GatedProxy }> {
  const registry = await new FakeRegistry().start();
  const program = tarOf({ path: 'bin/busybox', mode: 0o755, content: readFileSync(busybox ?? '') });
  registry.add('app:1', { layers: [program] });
  const proxy = await new GatedProxy(registry.host).start();
  proxy.closeAfter(0);
  cleanups.push(async () => {
    await proxy.stop();
    await registry.stop();
  });
  return { registry, proxy };
}

/** A container beside the work, which nothing of it may touch. */
async function calm(): Promise<number> {
  supervisor.drop('calm.yaml', app(`  calm: { image: busybox, command: ${FOREVER}, restart: always }\n`));
  const { pid } = await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);
  return pid ?? 0;
}

/** Ends it by SIGTERM while the work is under way. */
async function shutDown(): Promise<void> {
  supervisor.signal('SIGTERM');
  expect(await supervisor.gone()).toEqual({ code: 0, signal: null });
  expect(existsSync(join(supervisor.base, 'pid'))).toBe(false);
}

/** The next start finds nothing to mend, and the container beside it untouched. */
async function expectWhole(calmPid: number): Promise<void> {
  expect(alive(calmPid)).toBe(true);
  await supervisor.start();
  expect(await supervisor.container('calm')).toMatchObject({ pid: calmPid, restarts: 0, phase: 'Running' });
  await until('an empty plan', async () => (await supervisor.ok('plan')).endsWith('Nothing to do.\n'));
}

const SHUTTING_DOWN = /error: .*shutting down/;

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s ends the supervisor with 0, and containers go on', async (signal) => {
    await supervisor.start();
    const pid = await calm();
    supervisor.signal(signal);
    expect(await supervisor.gone()).toEqual({ code: 0, signal: null });
    await expectWhole(pid);
  });

  test('SIGQUIT says where each job is, without secrets, and ends the supervisor as SIGTERM does', async () => {
    const { proxy } = await slowRegistry();
    await supervisor.start();
    const pid = await calm();
    supervisor.drop('far.yaml', `images: { far: { pull: "${proxy.host}/app:1" } }\n`);
    await until('a layer asked for', () => proxy.asked.length > 0);
    const pull = begin('pull', `${proxy.host}/app:1`);
    await until('the pull to wait', () => pull.output !== '');
    supervisor.signal('SIGQUIT');
    expect(await supervisor.gone()).toEqual({ code: 0, signal: null });
    const lines = supervisor.log.split('\n').filter((line) => line.includes('"msg":"runs: '));
    const dumped = lines.map((line) => JSON.parse(line) as { job: string; since: string; stage: string | null });
    const op = dumped.find(({ job }) => /^image\..*far\)$/.test(job));
    expect(op).toMatchObject({ stage: expect.stringContaining(proxy.host), calledOff: false });
    const dump = dumped.find(({ job }) => job.startsWith('pull('));
    expect(dump).toMatchObject({ job: `pull(${proxy.host}/app:1)`, calledOff: false });
    expect(Date.parse(dump?.since ?? '')).toBeGreaterThan(0);
    expect(await pull.ended).toBe(1);
    proxy.open();
    await expectWhole(pid);
  });

  test('SIGQUIT ends the supervisor at once when DEBUG is set, and containers go on', async () => {
    await startWith({ DEBUG: '1' });
    const pid = await calm();
    supervisor.signal('SIGQUIT');
    expect(await supervisor.gone()).toEqual({ code: null, signal: 'SIGQUIT' });
    await expectWhole(pid);
  });

  test('a signal during the start is obeyed', async () => {
    await supervisor.start();
    const pid = await calm();
    await supervisor.stop();
    const before = supervisor.log.length;
    const starting = supervisor.start();
    await until('its pid file', () => existsSync(join(supervisor.base, 'pid')));
    supervisor.signal('SIGTERM');
    await starting.catch(() => {});
    expect(await supervisor.gone()).toEqual({ code: 0, signal: null });
    expect(supervisor.log.slice(before)).not.toContain('"level":50');
    await expectWhole(pid);
  });
});

describe('a shutdown in the middle of', () => {
  test('a pull tells who asked for it, and the next one brings the image', async () => {
    const { proxy } = await slowRegistry();
    await supervisor.start();
    const pid = await calm();
    const pull = begin('pull', `${proxy.host}/app:1`);
    await until('a layer asked for', () => proxy.asked.length > 0);
    await shutDown();
    expect([await pull.ended, pull.output]).toEqual([1, expect.stringMatching(SHUTTING_DOWN)]);
    await expectWhole(pid);
    proxy.open();
    await supervisor.ok('pull', `${proxy.host}/app:1`);
  });

  test('a pull for a manifest is continued by the next supervisor', async () => {
    const { proxy } = await slowRegistry();
    await supervisor.start();
    const file = supervisor.file(
      'far.yaml',
      `images: { far: { pull: "${proxy.host}/app:1" } }\ncontainers: { web: { image: far, command: ${FOREVER} } }\n`,
    );
    const pid = await calm();
    const apply = begin('apply', '--wait=10m', '-f', file);
    await until('a layer asked for', () => proxy.asked.length > 0);
    await shutDown();
    expect([await apply.ended, apply.output]).toEqual([1, expect.stringMatching(SHUTTING_DOWN)]);
    proxy.open();
    await supervisor.start();
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await supervisor.stop();
    await expectWhole(pid);
  });

  test('a build ends what it runs', async () => {
    await supervisor.start();
    const pid = await calm();
    const context = join(supervisor.base, 'context');
    mkdirSync(context);
    buildBase(context, busybox ?? '');
    writeFileSync(
      join(context, 'Dockerfile'),
      'FROM scratch\nADD rootfs.tar /\nRUN ["/bin/busybox", "sh", "-c", "echo at $((6 * 7)); while :; do /bin/busybox sleep 3600; done"]\n',
    );
    const build = begin('build', context);
    await until('the build at work', () => build.output.includes('at 42'));
    const before = supervisor.hostState().processes.length;
    await shutDown();
    expect([await build.ended, build.output]).toEqual([1, expect.stringMatching(SHUTTING_DOWN)]);
    expect(supervisor.hostState().processes.length).toBeLessThan(before);
    await expectWhole(pid);
    expect(supervisor.hostState().processes).toHaveLength(1);
  });

  test('starts of containers leaves those that run, and the next supervisor starts the rest', async () => {
    await supervisor.start();
    const pid = await calm();
    const names = Array.from({ length: 20 }, (_, index) => `c${index}`);
    const lines = names.map((name) => `  ${name}: { image: busybox, command: ${FOREVER}, restart: always }\n`);
    supervisor.drop('many.yaml', app(lines.join('')));
    await until('one that runs', async () =>
      (await supervisor.containers()).some((one) => names.includes(one.name) && one.pid !== null),
    );
    await shutDown();
    await supervisor.start();
    for (const name of names) {
      expect(await supervisor.waitFor(name, 'ready', ({ ready }) => ready)).toMatchObject({ restarts: 0 });
    }
    await supervisor.stop();
    await expectWhole(pid);
  });

  test('an exec session tells who has it, and the container goes on', async () => {
    await supervisor.start();
    const pid = await calm();
    const script = 'echo in there; while :; do sleep 3600; done';
    const exec = begin('exec', 'calm', '--', 'busybox', 'sh', '-c', script);
    await until('the session', () => exec.output.includes('in there'));
    await shutDown();
    expect(exec.output).not.toMatch(/^0$/);
    expect(await exec.ended).not.toBe(0);
    expect(exec.output).toMatch(SHUTTING_DOWN);
    await expectWhole(pid);
  });

  test('following logs and events tells who follows them', async () => {
    await supervisor.start();
    supervisor.drop(
      'calm.yaml',
      app(
        `  calm: { image: busybox, command: ${shell('trap "exit 0" TERM; echo hello; while :; do sleep 3600 & wait; done')}, restart: always }\n`,
      ),
    );
    const { pid } = await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);
    const followers = [begin('logs', '-f', 'calm'), begin('events', '-f', '--since', '10m'), begin('wait', 'calm')];
    await until('the log', () => followers[0]?.output !== '');
    await until('an event', () => followers[1]?.output !== '');
    await until('the wait', async () => (await supervisor.ok('jobs')).includes('\nwait '));
    await shutDown();
    for (const follower of followers) {
      expect(await follower.ended).not.toBe(0);
      expect(follower.output).toMatch(SHUTTING_DOWN);
    }
    await expectWhole(pid ?? 0);
  });

  test.each(['stop', 'restart'])(
    'a %s of a slow container tells who waits for it, and is continued',
    async (command) => {
      await supervisor.start();
      const pid = await calm();
      const script = shell(
        'trap "echo asked to end; busybox touch /asked" TERM; while [ ! -e /go ] || [ ! -e /asked ]; do busybox sleep 0.1; done; busybox rm /asked',
      );
      supervisor.drop('slow.yaml', app(`  slow: { image: busybox, command: ${script}, stopTimeout: 10m }\n`));
      const slow = await supervisor.waitFor('slow', 'ready', ({ ready }) => ready);
      await armed(slow.pid);
      const commands = [begin(command, 'slow'), begin('job', command, 'slow')];
      await until('both commands', async () => {
        const { running } = JSON.parse(await supervisor.ok('jobs', '-o', 'json')) as JobsView;
        return running.filter(({ name }) => name === command).length === commands.length;
      });
      await until('its SIGTERM', async () => (await supervisor.ok('logs', 'slow')).includes('asked to end'));
      await shutDown();
      for (const one of commands)
        expect([await one.ended, one.output]).toEqual([1, expect.stringMatching(SHUTTING_DOWN)]);
      expect(supervisor.log).not.toMatch(/without waiting for|was cancelled: it took too long/);
      expect(alive(slow.pid)).toBe(true);
      await supervisor.start();
      await supervisor.ok('exec', 'slow', 'busybox', 'touch', '/go');
      await supervisor.waitFor('slow', 'carried out', ({ phase, pid: now }) =>
        command === 'stop' ? phase === 'Exited' : phase === 'Running' && now !== slow.pid,
      );
      await supervisor.stop();
      await expectWhole(pid);
    },
  );

  test('apply --wait keeps what was applied', async () => {
    await supervisor.start();
    const pid = await calm();
    const file = supervisor.file(
      'slow.yaml',
      app(
        `  slow: { image: busybox, command: ${FOREVER}, health: { exec: [busybox, test, -e, /ready], interval: 100ms, startPeriod: 10m } }\n`,
      ),
    );
    const apply = begin('apply', '--wait=10m', '-f', file);
    const { pid: slow } = await supervisor.waitFor('slow', 'runs', (view) => view.pid !== null);
    await shutDown();
    expect([await apply.ended, apply.output]).toEqual([1, expect.stringMatching(SHUTTING_DOWN)]);
    await expectWhole(pid);
    expect((await supervisor.container('slow'))?.pid).toBe(slow);
  });
});

test('a host shutdown that is asked to end continues, says so, and is not listed as cancelled', async () => {
  await supervisor.start();
  const script = shell(
    'trap "[ -e /once ] && exit; busybox touch /once; echo asked to end" TERM; while :; do busybox sleep 0.1; done',
  );
  supervisor.drop('slow.yaml', app(`  slow: { image: busybox, command: ${script}, stopTimeout: 10m }\n`));
  const { pid } = await supervisor.waitFor('slow', 'ready', ({ ready }) => ready);
  await armed(pid);
  const host = begin('job', 'host_shutdown');
  await until('its SIGTERM', async () => (await supervisor.ok('logs', 'slow')).includes('asked to end'));
  const ended = host.kill('SIGINT');
  await until('the answer', () => host.output.includes('host_shutdown continues: it cannot be cancelled\n'));
  const { running } = JSON.parse(await supervisor.ok('jobs', '-o', 'json')) as {
    running: { name: string; calledOff: boolean }[];
  };
  expect(running.find(({ name }) => name === 'host_shutdown')).toMatchObject({ calledOff: false });
  process.kill(pid ?? 0, 'SIGKILL');
  expect(await ended).toBe(0);
  expect(host.output).toContain('"stopped"');
  // Nothing is carried out any more, the cleanup included.
  await shutDown();
  await supervisor.start();
});

test('a job that hangs is cancelled when its time is over', async () => {
  const registry = await new FakeRegistry().start();
  cleanups.push(() => registry.stop());
  registry.intercept = (request) => request.method !== 'GET';
  await supervisor.start();
  const pid = await calm();
  const [image] = JSON.parse(await supervisor.ok('get', 'images', '-o', 'json')) as { id: string }[];
  await supervisor.ok('tag', image?.id ?? '', `${registry.host}/app:1`);
  const push = begin('push', `${registry.host}/app:1`);
  await until('the push asks', () => registry.asked.some((line) => !line.startsWith('GET ')));
  await shutDown();
  expect(supervisor.log).toMatch(/push\(.*\) was cancelled/);
  expect([await push.ended, push.output]).toEqual([1, expect.stringMatching(SHUTTING_DOWN)]);
  await expectWhole(pid);
});

test('a part that never closes is named, and keeps nothing else open', async () => {
  await startWith({ NODE_OPTIONS: `--import=${HANGING_CLOSE}` });
  const pid = await calm();
  supervisor.signal('SIGTERM');
  expect(await supervisor.gone()).toEqual({ code: 1, signal: null });
  expect(supervisor.log).toContain('the supervisor ends without waiting for: API');
  expect(existsSync(join(supervisor.base, 'pid'))).toBe(false);
  expect(existsSync(join(supervisor.root, 'history.db-wal'))).toBe(false);
  await expectWhole(pid);
});
