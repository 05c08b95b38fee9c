import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { EventView } from '../../src/api/views/explain-views.ts';
import { BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

const app = (...containers: string[]) =>
  `${BUSYBOX_IMAGE}containers:\n${containers.map((line) => `  ${line}\n`).join('')}`;
const server = (before: string, address = '') =>
  shell(`mkdir -p /www; echo up > /www/index.html; ${before}; busybox httpd -p ${address}80 -h /www; ${IDLE}`);

const results = async (name: string) => (await supervisor.container(name))?.health?.results ?? [];

async function eventsOf(name: string): Promise<EventView[]> {
  const text = await supervisor.ok('events', '-o', 'json');
  const events = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as EventView);
  return events.filter(({ resource }) => resource?.endsWith(`/${name}`));
}

/** Processes with this text in their command line. */
function processesWith(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(text);
    } catch {
      return false;
    }
  });
}

describe('probes', () => {
  test('over HTTP delay links and --wait until ready, with the reason', async () => {
    const manifest = supervisor.file(
      'apps/app.yaml',
      app(
        `web: { image: busybox, command: ${server('while [ ! -e /go ]; do sleep 0.05; done')}, health: { http: 80/index.html, interval: 100ms } }`,
        `user: { image: busybox, command: ${FOREVER}, links: [web] }`,
      ),
    );
    const applied = supervisor.cli('apply', '-f', manifest, '--wait');
    await supervisor.waitFor('web', 'tried in vain', ({ health }) => health?.results.some(({ ok }) => !ok) === true);
    expect(await supervisor.container('web')).toMatchObject({
      phase: 'Running',
      ready: false,
      message: expect.stringContaining('starting: health check failed: nothing listens on'),
    });
    const parked = await supervisor.waitFor('user', 'parked', ({ conditions }) =>
      conditions.some(({ type }) => type === 'Parked'),
    );
    expect(parked).toMatchObject({ phase: 'Pending', pid: null });
    expect(parked.message).toContain('container/app/web');
    await supervisor.ok('exec', 'web', 'busybox', 'touch', '/go');
    expect((await applied).status).toBe(0);
    expect(await supervisor.container('web')).toMatchObject({ ready: true, health: { state: 'healthy' } });
    expect((await results('web')).at(-1)).toMatchObject({ probe: 'check', ok: true, output: 'HTTP 200' });
    expect(await supervisor.container('user')).toMatchObject({ ready: true });
    const ready = (await eventsOf('web')).find(({ kind, ok }) => kind === 'probe' && ok);
    const started = (await eventsOf('user')).find(({ kind }) => kind === 'start');
    expect(Date.parse(started?.time ?? '')).toBeGreaterThanOrEqual(Date.parse(ready?.time ?? ''));
    expect(await supervisor.ok('describe', 'web')).toContain('HTTP 200');
  });

  test('reach servers on loopback, without a network and in a shared network', async () => {
    supervisor.drop(
      'app.yaml',
      app(
        `inner: { image: busybox, command: ${server('true', '127.0.0.1:')}, health: { tcp: { port: 80, host: localhost } } }`,
        `alone: { image: busybox, network: none, command: ${server('true')}, health: { http: 80 } }`,
        `side: { image: busybox, network: "container:inner", command: ${FOREVER}, health: { readiness: { tcp: { port: 80, host: 127.0.0.1 } } } }`,
        `deaf: { image: busybox, command: ${server('true', '127.0.0.1:')}, health: { readiness: { tcp: 80, interval: 100ms } } }`,
      ),
    );
    for (const name of ['inner', 'alone', 'side']) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
    const deaf = await supervisor.waitFor('deaf', 'tried', ({ health }) => (health?.results.length ?? 0) > 0);
    expect(deaf).toMatchObject({ ready: false });
    expect(deaf.message).toContain('needs host: localhost');
  });

  test('restart an unhealthy container, and why shows the chain with its manifest line', async () => {
    supervisor.drop(
      'app.yaml',
      app(
        `web: { image: busybox, restart: always, command: ${shell(`echo began; touch /alive; ${IDLE}`)}, health: { exec: [busybox, sh, -c, 'echo looking; test -e /alive'], interval: 200ms, startPeriod: 0s } }`,
      ),
    );
    const first = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await supervisor.ok('exec', 'web', 'busybox', 'rm', '/alive');
    const second = await supervisor.waitFor('web', 'restarted', ({ ready, pid }) => ready && pid !== first.pid);
    expect(second).toMatchObject({ id: first.id, restarts: 1, address: first.address });
    const failed = (await eventsOf('web')).find(({ what }) => what === 'unhealthy');
    expect(failed).toMatchObject({
      kind: 'probe',
      message: 'unhealthy: health check failed 3 times: exit 1: looking',
      source: { line: 4 },
    });
    expect(failed?.log.join('')).toContain('began');
    const why = await supervisor.ok('why', 'web');
    expect(why).toMatch(/unhealthy: health check failed 3 times[\s\S]*stopped[\s\S]*started/);
    expect(why).toContain('app.yaml:4:');
  });

  test('kill a program that takes too long, with its children', async () => {
    supervisor.drop(
      'app.yaml',
      app(
        `web: { image: busybox, command: ${FOREVER}, health: { readiness: { exec: [busybox, sh, -c, 'echo so far; busybox sleep 86017 | busybox cat'], timeout: 5s, interval: 1h, startPeriod: 0s } } }`,
      ),
    );
    await supervisor.waitFor('web', 'tried', ({ health }) => (health?.results.length ?? 0) > 0);
    expect((await results('web'))[0]).toMatchObject({ ok: false, output: 'timed out after 5 s: so far' });
    await until('nothing of it is left', () => processesWith('86017').length === 0);
  });

  test('keep their results over a restart of the supervisor', async () => {
    supervisor.drop(
      'app.yaml',
      app(
        `web: { image: busybox, command: ${server('true')}, health: { http: 80, interval: 1h } }`,
        `user: { image: busybox, command: ${FOREVER}, links: [web] }`,
      ),
    );
    const before = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await supervisor.waitFor('user', 'ready', ({ ready }) => ready);
    await supervisor.crash();
    await supervisor.start();
    expect(await supervisor.container('web')).toMatchObject({
      ready: true,
      pid: before.pid,
      health: { state: 'healthy' },
    });
    expect((await results('web'))[0]).toEqual(before.health?.results[0]);
  });

  test('follow HEALTHCHECK of the image, and `health: none` disables it', async () => {
    supervisor.drop('base.yaml', app(`base: { image: busybox, command: ${FOREVER} }`));
    await supervisor.waitFor('base', 'ready', ({ ready }) => ready);
    await supervisor.ok(
      'commit',
      '-c',
      'HEALTHCHECK --interval=100ms --retries=2 CMD ["busybox", "test", "-e", "/state/alive"]',
      'base',
      'checked:1',
    );
    const state = join(supervisor.base, 'state');
    mkdirSync(state);
    supervisor.drop(
      'app.yaml',
      `containers:\n  web: { image: "checked:1", command: ${FOREVER}, restart: always, volumes: ["${state}:/state"] }\n  free: { image: "checked:1", command: ${FOREVER}, health: none }\n  user: { image: "checked:1", health: none, command: ${FOREVER}, links: [web] }\n`,
    );
    await supervisor.waitFor('free', 'ready', ({ ready, health }) => ready && health === null);
    await supervisor.waitFor('web', 'restarted', ({ restarts }) => restarts > 0);
    expect(await supervisor.container('user')).toMatchObject({ phase: 'Pending' });
    writeFileSync(join(state, 'alive'), '');
    await supervisor.waitFor('web', 'healthy', ({ health }) => health?.state === 'healthy');
    await supervisor.waitFor('user', 'ready', ({ ready }) => ready);
  });

  test('restart a dependent once the new run of its dependency is ready', async () => {
    supervisor.drop(
      'app.yaml',
      app(
        `web: { image: busybox, command: ${server('true')}, restart: always, health: { http: 80, interval: 100ms } }`,
        `user: { image: busybox, command: ${FOREVER}, dependsOn: [web], onDependencyRestart: restart }`,
        `calm: { image: busybox, command: ${FOREVER}, dependsOn: [web] }`,
      ),
    );
    const names = ['web', 'user', 'calm'] as const;
    for (const name of names) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
    const [web, user, calm] = await Promise.all(names.map((name) => supervisor.container(name)));
    process.kill(web?.pid ?? 0, 'SIGKILL');
    await supervisor.waitFor('user', 'restarted', ({ ready, pid }) => ready && pid !== user?.pid);
    expect((await supervisor.container('calm'))?.pid).toBe(calm?.pid);
    const ready = (await eventsOf('web')).filter(({ kind, ok }) => kind === 'probe' && ok).at(-1);
    const started = (await eventsOf('user')).filter(({ kind }) => kind === 'start').at(-1);
    expect(started?.cause).toBe('container/app/web restarted');
    expect(Date.parse(started?.time ?? '')).toBeGreaterThanOrEqual(Date.parse(ready?.time ?? ''));
  });
});
