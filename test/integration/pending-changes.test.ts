/** Requests of a person while a change of the container waits: for the host, or for a pull. */
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

const app = (name: string, more = '') =>
  `${BUSYBOX_IMAGE}containers:\n  ${name}: { image: busybox, command: ${FOREVER}, restart: always${more} }\n`;

describe('a change that waits for a directory', () => {
  test('stop keeps the container down also when the directory appears, and start applies the change', async () => {
    const missing = join(supervisor.base, 'missing');
    supervisor.drop('held.yaml', app('held'));
    const before = await supervisor.waitFor('held', 'ready', ({ ready }) => ready);
    supervisor.drop('held.yaml', app('held', `, env: { A: "1" }, volumes: ["${missing}:/x"]`));
    await supervisor.waitFor('held', 'waiting', ({ message }) => message.includes('does not exist'));
    await supervisor.ok('stop', 'held');
    expect(await supervisor.container('held')).toMatchObject({ phase: 'Exited', pid: null, id: before.id });
    mkdirSync(missing);
    await supervisor.waitFor('held', 'stopped', ({ message }) => message.startsWith('stopped until'));
    await supervisor.crash();
    await supervisor.start();
    expect(await supervisor.container('held')).toMatchObject({ pid: null, id: before.id });
    await supervisor.ok('start', 'held');
    const after = await supervisor.waitFor('held', 'ready', ({ ready }) => ready);
    expect(after.id).not.toBe(before.id);
  });

  test('restart with a time restarts the container with its old specification', async () => {
    supervisor.drop('again.yaml', app('again'));
    const before = await supervisor.waitFor('again', 'ready', ({ ready }) => ready);
    supervisor.drop('again.yaml', app('again', ', env: { A: "1" }, volumes: ["/nowhere/at/all:/x"]'));
    await supervisor.waitFor('again', 'waiting', ({ message }) => message.includes('does not exist'));
    await supervisor.ok('restart', '-t', '3', 'again');
    const after = await supervisor.waitFor('again', 'ready', ({ ready }) => ready);
    expect(after).toMatchObject({ id: before.id, phase: 'Running' });
    expect(after.pid).not.toBe(before.pid);
    expect(after.message).toContain('does not exist');
  });
});

describe('a change that failed', () => {
  test('stop ends the container at once', async () => {
    const foreign = createServer();
    foreign.listen(0, '0.0.0.0');
    await once(foreign, 'listening');
    const { port } = foreign.address() as { port: number };
    try {
      supervisor.drop('taken.yaml', app('taken'));
      const before = await supervisor.waitFor('taken', 'ready', ({ ready }) => ready);
      supervisor.drop('taken.yaml', app('taken', `, ports: ["${port}:80"]`));
      await supervisor.waitFor('taken', 'the failure', ({ message }) => message.includes(String(port)));
      await supervisor.ok('stop', 'taken');
      expect(await supervisor.container('taken')).toMatchObject({ phase: 'Exited', pid: null, id: before.id });
    } finally {
      foreign.close();
    }
  });
});

describe('a change that waits for an image', () => {
  const open = new Set<Socket>();
  let registry: Server;

  /** A registry that takes connections and says nothing. */
  async function silentRegistry(): Promise<number> {
    registry = createServer((socket) => {
      open.add(socket);
      socket.on('error', () => {}).resume();
    });
    registry.listen(0, '127.0.0.1');
    await once(registry, 'listening');
    return (registry.address() as { port: number }).port;
  }

  afterEach(() => {
    for (const socket of open) socket.destroy();
    open.clear();
    registry.close();
  });

  const pulled = (name: string, port: number) =>
    `images:\n  busybox: { host: [busybox] }\n  next: { pull: "localhost:${port}/x/y:1" }\ncontainers:\n  ${name}: { image: next, command: ${FOREVER}, restart: always }\n`;

  test('restarts the container when it ends, and a stop takes effect and lasts', async () => {
    const port = await silentRegistry();
    supervisor.drop('pull.yaml', app('pull'));
    const before = await supervisor.waitFor('pull', 'ready', ({ ready }) => ready);
    supervisor.drop('pull.yaml', pulled('pull', port));
    await until('the pull', () => open.size > 0);
    process.kill(before.pid ?? 0, 'SIGKILL');
    const back = await supervisor.waitFor('pull', 'back', ({ ready, pid }) => ready && pid !== before.pid);
    expect(back).toMatchObject({ id: before.id });
    expect(back.message).toContain('image/pull/next');
    await supervisor.ok('stop', 'pull');
    for (const socket of open) socket.destroy();
    registry.close();
    await until('the failed pull', async () => (await supervisor.ok('get', 'images')).includes('next'));
    expect(await supervisor.container('pull')).toMatchObject({ phase: 'Exited', pid: null });
  });

  test('delete does not wait for the pull and cancels it', async () => {
    const port = await silentRegistry();
    const file = supervisor.file('gone.yaml', app('gone'));
    await supervisor.ok('apply', '--wait=2m', '-f', file);
    supervisor.file('gone.yaml', pulled('gone', port));
    await supervisor.ok('apply', '-f', file);
    await until('the pull', () => open.size > 0);
    await supervisor.ok('delete', '-f', file);
    await until('it to be gone', async () => !(await supervisor.container('gone')));
    await until('the end of the pull', () => [...open].every(({ closed }) => closed));
  });
});

describe('a stop timeout given by a person', () => {
  const SLOW = shell(
    'trap "echo TERM; t=1" TERM; echo up; while [ -z "$t" ]; do sleep 0.1; done; i=0; while [ $i -lt 20 ]; do sleep 0.1; i=$((i+1)); done; exit 7',
  );
  const slow = (name: string, command: string, stopTimeout: string) =>
    `${BUSYBOX_IMAGE}containers:\n  ${name}: { image: busybox, command: ${command}, stopTimeout: ${stopTimeout} }\n`;
  const up = (name: string) => until('its trap', async () => (await supervisor.ok('logs', name)).includes('up'));

  test('extends that of the manifest, and the signal is sent once', async () => {
    supervisor.drop('patient.yaml', slow('patient', SLOW, '200ms'));
    await supervisor.waitFor('patient', 'ready', ({ ready }) => ready);
    await up('patient');
    await supervisor.ok('stop', '-t', '60', 'patient');
    expect(await supervisor.container('patient')).toMatchObject({ exitCode: 7 });
    expect((await supervisor.ok('logs', 'patient')).match(/TERM/g)).toHaveLength(1);
  });

  test('shortens a stop in progress', async () => {
    const deaf = shell('trap "echo TERM" TERM; echo up; while :; do sleep 0.1; done');
    supervisor.drop('deaf.yaml', slow('deaf', deaf, '1h'));
    await supervisor.waitFor('deaf', 'ready', ({ ready }) => ready);
    await up('deaf');
    const first = supervisor.cli('stop', 'deaf');
    await until('the signal', async () => (await supervisor.ok('logs', 'deaf')).includes('TERM'));
    await supervisor.ok('stop', '-t', '0', 'deaf');
    expect((await first).status).toBe(0);
    expect(await supervisor.container('deaf')).toMatchObject({ exitCode: 137, pid: null });
  });

  test.each(['stop', 'crash'] as const)(
    'is continued by the next supervisor after a %s without a second signal',
    async (how) => {
      const deaf = shell('trap "echo TERM" TERM; echo up; while :; do sleep 0.1; done');
      const long = `after-${how}`;
      supervisor.drop(`${long}.yaml`, slow(long, deaf, '1h'));
      const { id, pid } = await supervisor.waitFor(long, 'ready', ({ ready }) => ready);
      await up(long);
      const asked = supervisor.cli('stop', long);
      const record = join(supervisor.root, 'containers', id, 'config.json');
      await until('the signal', () => readFileSync(record, 'utf8').includes('"Stopping":{'));
      await supervisor[how]();
      expect((await asked).status).not.toBe(0);
      expect(existsSync(`/proc/${pid}`)).toBe(true);
      await supervisor.start();
      await supervisor.waitFor(long, 'is being stopped', ({ phase }) => phase === 'Stopping');
      await supervisor.ok('stop', '-t', '0', long);
      expect(await supervisor.container(long)).toMatchObject({ exitCode: 137, pid: null });
      expect((await supervisor.ok('logs', long)).match(/TERM/g)).toHaveLength(1);
    },
  );

  test('counts from the signal, whoever sent it', async () => {
    const deaf = shell('trap "echo TERM" TERM; echo up; while :; do sleep 0.1; done');
    supervisor.drop('brief.yaml', slow('brief', deaf, '2s'));
    const { id } = await supervisor.waitFor('brief', 'ready', ({ ready }) => ready);
    await up('brief');
    const asked = supervisor.cli('stop', 'brief');
    await until('the signal', async () => (await supervisor.ok('logs', 'brief')).includes('TERM'));
    await supervisor.stop();
    await asked;
    await supervisor.start();
    expect((await supervisor.exitRecord(id)).signal).toBe(9);
    await supervisor.waitFor('brief', 'is down', ({ phase }) => phase === 'Exited');
    expect((await supervisor.ok('logs', 'brief')).match(/TERM/g)).toHaveLength(1);
  });
});
