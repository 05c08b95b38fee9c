/** Payloads and shims that do not react. */
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { StuckMount } from '../support/stuck-mount.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startSupervisor(): Promise<TestSupervisor> {
  const supervisor = new TestSupervisor();
  cleanups.push(() => supervisor.destroy());
  return await supervisor.start();
}

const shimOf = (pid: number | null): number =>
  Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
const CALM = `  calm: { image: busybox, command: ${FOREVER}, restart: always }\n`;

test('a payload that ignores all signals is killed with its children after the grace period', async () => {
  const supervisor = await startSupervisor();
  const deaf = shell(
    'trap "" TERM INT HUP QUIT USR1; (setsid sh -c "trap \\"\\" TERM; while :; do sleep 3600; done" &); while :; do sleep 3600; done',
  );
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:\n  deaf: { image: busybox, command: ${deaf}, stopTimeout: 300ms, restart: always }\n`,
  );
  const { pid } = await supervisor.waitFor('deaf', 'ready', ({ ready }) => ready);
  const inside = () => readFileSync(cgroupOf(pid), 'utf8').trim().split('\n').length;
  await until('its processes', () => inside() >= 4);
  await supervisor.ok('stop', 'deaf');
  expect(await supervisor.container('deaf')).toMatchObject({ phase: 'Exited', exitCode: 137, pid: null });
  expect(supervisor.hostState().processes).toEqual([]);
});

function cgroupOf(pid: number | null): string {
  const unified = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
  const mount = existsSync('/sys/fs/cgroup/unified') ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup';
  return join(mount, unified ?? '', 'cgroup.procs');
}

test.each([
  ['EIO', 5],
  ['ESTALE', 116],
])('a bind source on a filesystem that answers %s keeps only its own container down', async (name, errno) => {
  const supervisor = await startSupervisor();
  const mount = new StuckMount(join(supervisor.base, 'mount'), errno);
  cleanups.push(() => mount.release());
  supervisor.drop('calm.yaml', `${BUSYBOX_IMAGE}containers:\n${CALM}`);
  const calm = await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);
  const bad = `  bad: { image: busybox, command: ${FOREVER}, volumes: ["${mount.path}/data:/x"] }\n`;
  supervisor.drop('bad.yaml', `${BUSYBOX_IMAGE}containers:\n${bad}`);
  const why = `bind source ${mount.path}/data cannot be looked at: ${name}`;
  await supervisor.waitFor('bad', 'parked', ({ phase, message }) => phase === 'Pending' && message.includes(why));
  // As after a power cut: only a look at everything brings it up again.
  await supervisor.crash();
  process.kill(calm.pid ?? 0, 'SIGKILL');
  await supervisor.start();
  await supervisor.waitFor('calm', 'up again', ({ ready, pid }) => ready && pid !== calm.pid);
  await supervisor.waitFor('bad', 'parked again', ({ phase, message }) => phase === 'Pending' && message.includes(why));
});

test('a bind source that does not answer delays only its container, which starts once it answers', async () => {
  const supervisor = await startSupervisor();
  const mount = new StuckMount(join(supervisor.base, 'mount'));
  cleanups.push(() => mount.release());
  // The way there leads over a link on the host's own filesystem, and its content would be looked at.
  symlinkSync(mount.path, join(supervisor.base, 'link'));
  const source = join(supervisor.base, 'link', 'data');
  const far = `  far: { image: busybox, command: ${FOREVER}, volumes: ["${source}:/x:ro"], restart: always }\n`;
  supervisor.drop('calm.yaml', `${BUSYBOX_IMAGE}containers:\n${CALM}`);
  const calm = await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);
  supervisor.drop('far.yaml', `${BUSYBOX_IMAGE}containers:\n${far}`);
  const why = `bind source ${source} does not answer (filesystem fuse at ${mount.path}); bring back what serves it`;
  const parked = () =>
    supervisor.waitFor('far', 'parked', ({ phase, message }) => phase === 'Pending' && message.includes(why));
  await parked();
  expect(mount.stuck).toBe(1);
  await supervisor.ok('restart', 'calm');
  process.kill((await supervisor.waitFor('calm', 'ready', ({ ready }) => ready)).pid ?? 0, 'SIGKILL');
  await supervisor.waitFor('calm', 'restarted', ({ ready, restarts }) => ready && restarts > calm.restarts);
  expect(await supervisor.ok('exec', 'calm', 'busybox', 'echo', 'fine')).toBe('fine\n');
  supervisor.drop('calm.yaml', `${BUSYBOX_IMAGE}containers:\n${CALM}  more: { image: busybox, command: ${FOREVER} }\n`);
  await supervisor.waitFor('more', 'ready', ({ ready }) => ready);

  await supervisor.crash();
  await supervisor.start();
  await parked();
  await supervisor.ok('restart', 'calm');
  await supervisor.stop();
  await supervisor.start();
  await parked();
  mount.goOn();
  await supervisor.waitFor('far', 'up', ({ ready }) => ready);
  await supervisor.ok('exec', 'far', 'busybox', 'test', '-d', '/x');
});

/** A path that leads over a link to a place of the host, and from {@link StuckMount} to where no one answers, and back. */
function movable(supervisor: TestSupervisor): { readonly path: string; stall(): void; bringBack(): void } {
  const link = join(supervisor.base, 'link');
  const [near, far] = [join(supervisor.base, 'near'), join(supervisor.base, 'far')];
  const lead = (to: string) => {
    symlinkSync(to, `${link}.tmp`);
    renameSync(`${link}.tmp`, link);
  };
  mkdirSync(near);
  lead(near);
  const mount = new StuckMount(far);
  cleanups.push(() => mount.release());
  return { path: join(link, 'data'), stall: () => lead(far), bringBack: () => lead(near) };
}

test.each([
  ['bind source', (path: string) => mkdirSync(path), (path: string) => `volumes: ["${path}:/x"]`],
  ['secret', (path: string) => writeFileSync(path, 'x\n'), (path: string) => `env: { A: { fromFile: "${path}" } }`],
])('a %s that does not answer a start uses up no restart of its container', async (_what, make, names) => {
  const supervisor = await startSupervisor();
  const { path, stall, bringBack } = movable(supervisor);
  make(path);
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:\n  far: { image: busybox, command: ${FOREVER}, ${names(path)}, restart: "on-failure:1" }\n`,
  );
  await supervisor.waitFor('far', 'runs', ({ pid }) => pid !== null);
  stall();
  // What runs as declared is not looked at before it is stopped.
  expect((await supervisor.cli('restart', 'far')).stderr).toMatch(/was not started: .* does not answer/);
  bringBack();
  expect(await supervisor.waitFor('far', 'up', ({ pid }) => pid !== null)).toMatchObject({ restarts: 0 });
});

test('an env file that does not answer delays no start, which uses the pinned copy', async () => {
  const supervisor = await startSupervisor();
  const { path, stall } = movable(supervisor);
  writeFileSync(path, 'A=pinned\n');
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:\n  far: { image: busybox, command: ${shell('echo $A; trap "exit 0" TERM; sleep 3600 & wait')}, envFile: ["${path}"] }\n`,
  );
  const { pid } = await supervisor.waitFor('far', 'ready', ({ ready }) => ready);
  stall();
  await supervisor.ok('restart', 'far');
  await supervisor.waitFor('far', 'a new run', (view) => view.pid !== null && view.pid !== pid);
  await until('the output of both runs', async () => (await supervisor.ok('logs', 'far')) === 'pinned\npinned\n');
});

test('a payload that the kernel cannot kill is reported, delays no other, and ends later', async () => {
  const supervisor = await startSupervisor();
  const mount = new StuckMount(join(supervisor.base, 'mount'));
  cleanups.push(() => mount.release());
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:\n  stuck: { image: busybox, command: ${shell('busybox cat /mnt/file; exit 4')}, volumes: ["${mount.path}:/mnt"], stopTimeout: 200ms }\n${CALM}`,
  );
  await supervisor.waitFor('stuck', 'runs', ({ pid }) => pid !== null);
  await until('the payload to be stuck', () => mount.stuck > 0);
  const stop = await supervisor.cli('stop', 'stuck');
  expect(stop.status).not.toBe(0);
  expect(stop.stderr).toMatch(/does not end process \d+ \(busybox\), state D in \w+/);
  await supervisor.ok('restart', 'calm');
  await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);

  await supervisor.crash();
  await supervisor.start();
  await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);
  const shutdown = await supervisor.cli('host-shutdown', '--now');
  expect(shutdown).toMatchObject({ status: 1, stdout: 'Stopped 1 container.\n' });
  expect(shutdown.stderr).toContain('1 container still runs: app-stuck');
  await supervisor.crash();
  await supervisor.start();
  mount.release();
  await supervisor.waitFor('stuck', 'is down', ({ phase, pid }) => phase === 'Exited' && pid === null);
});

test('a fork bomb stays below its limit, harms no other container, and can be stopped', async () => {
  const supervisor = await startSupervisor();
  // A shell that cannot fork ends. The first process has then waited for it and has room for the next; what it forked stays.
  const bomb = shell("while :; do busybox sh -c 'while :; do sleep 3600 & done' 2>/dev/null; done");
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:\n  bomb: { image: busybox, command: ${bomb}, resources: { pids: 40 }, stopTimeout: 200ms, restart: always }\n${CALM}`,
  );
  const calm = await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);
  const { pid } = await supervisor.waitFor('bomb', 'runs', (view) => view.pid !== null);
  const procs = cgroupOf(pid);
  await until('many processes', () => readFileSync(procs, 'utf8').split('\n').length > 20);
  expect(await supervisor.ok('exec', 'calm', 'busybox', 'echo', 'fine')).toBe('fine\n');
  expect(readFileSync(procs, 'utf8').trim().split('\n').length).toBeLessThanOrEqual(40);
  await supervisor.ok('stop', 'bomb');
  expect(await supervisor.container('bomb')).toMatchObject({ phase: 'Exited', pid: null });
  expect(await supervisor.container('calm')).toMatchObject({ pid: calm.pid, restarts: 0 });
  expect(supervisor.hostState().processes).toHaveLength(1);
});

describe('a shim that', () => {
  test('was killed without a supervisor ends its payload, and the restart policy applies', async () => {
    const supervisor = await startSupervisor();
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n${CALM}  once: { image: busybox, command: ${FOREVER} }\n`,
    );
    const calm = await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);
    const once = await supervisor.waitFor('once', 'ready', ({ ready }) => ready);
    await supervisor.crash();
    for (const { pid } of [calm, once]) process.kill(shimOf(pid), 'SIGKILL');
    await until('the payloads gone', () => [calm, once].every(({ pid }) => !existsSync(`/proc/${pid}`)));
    await supervisor.start();
    const next = await supervisor.waitFor('calm', 'restarted', ({ ready, pid }) => ready && pid !== calm.pid);
    expect(next.id).toBe(calm.id);
    expect(await supervisor.container('once')).toMatchObject({ phase: 'Exited', exitCode: null, pid: null });
    expect(await supervisor.ok('why', 'once')).toContain('its end was not observed');
  });

  test('is stopped delays neither a start nor other containers, and is taken over once it continues', async () => {
    const supervisor = await startSupervisor();
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  still: { image: busybox, command: ${FOREVER}, restart: always, stopTimeout: 200ms }\n${CALM}`,
    );
    const still = await supervisor.waitFor('still', 'ready', ({ ready }) => ready);
    const calm = await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);
    const shim = shimOf(still.pid);
    process.kill(shim, 'SIGSTOP');
    cleanups.push(() => {
      if (existsSync(`/proc/${shim}`)) process.kill(shim, 'SIGCONT');
    });
    const stop = await supervisor.cli('stop', 'still');
    expect(stop.status).not.toBe(0);
    expect(stop.stderr).toMatch(
      new RegExp(`shim \\(process ${shim} .*state T.*\\) does not answer; .kill -CONT ${shim}`),
    );

    await supervisor.crash();
    await supervisor.start();
    expect(await supervisor.container('calm')).toMatchObject({ pid: calm.pid, phase: 'Running' });
    expect(await supervisor.container('still')).toMatchObject({ pid: null });
    await supervisor.stop();
    await supervisor.start();
    await supervisor.waitFor('still', 'left alone', ({ message }) =>
      /runs on untouched: .* does not answer/.test(message),
    );
    await supervisor.ok('restart', 'calm');
    process.kill(shim, 'SIGCONT');
    await supervisor.waitFor('still', 'its stop', ({ phase }) => phase === 'Exited');
    await supervisor.ok('start', 'still');
    expect(await supervisor.container('still')).toMatchObject({ id: still.id, phase: 'Running' });
  });

  test("has not answered prevents reads of its container's files", async () => {
    const supervisor = await startSupervisor();
    const ticks = shell('i=0; while :; do i=$((i+1)); echo $i > /tick; done');
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${ticks}, restart: always, stopTimeout: 100ms }\n`,
    );
    const { pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const shim = shimOf(pid);
    await supervisor.crash();
    process.kill(shim, 'SIGSTOP');
    cleanups.push(() => {
      if (existsSync(`/proc/${shim}`)) process.kill(shim, 'SIGCONT');
    });
    await supervisor.start();
    const archive = join(supervisor.base, 'web.tar');
    const readings = [
      ['export', 'web', '-o', archive],
      ['commit', 'web', 'web:made'],
      ['changes', 'web'],
    ] as const;
    for (const reading of readings) {
      const refused = await supervisor.cli(...reading);
      expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/web cannot be reached: .*shim/) });
    }
    expect(existsSync(archive)).toBe(false);
    process.kill(shim, 'SIGCONT');
    await supervisor.waitFor('web', 'taken over', (view) => view.pid === pid);
    for (const reading of readings) await supervisor.ok(...reading);
  });

  test('answers during a stop of everything is stopped too', async () => {
    const supervisor = await startSupervisor();
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  late: { image: busybox, command: ${FOREVER}, restart: always }\n${CALM}`,
    );
    const late = await supervisor.waitFor('late', 'ready', ({ ready }) => ready);
    await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);
    const shim = shimOf(late.pid);
    await supervisor.crash();
    process.kill(shim, 'SIGSTOP');
    cleanups.push(() => {
      if (existsSync(`/proc/${shim}`)) process.kill(shim, 'SIGCONT');
    });
    await supervisor.start();
    const shutdown = supervisor.ok('host-shutdown', '--now');
    await until('the shutdown', async () => (await supervisor.cli('start', 'calm')).status === 1);
    process.kill(shim, 'SIGCONT');
    expect(await shutdown).toBe('Stopped 2 containers.\n');
    expect(existsSync(`/proc/${late.pid}`)).toBe(false);
    await supervisor.stop();
    await supervisor.start();
    await supervisor.waitFor('late', 'running again', ({ ready }) => ready);
  });
});
