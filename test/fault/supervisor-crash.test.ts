import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { type CliResult, TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

describe('kill -9 of the supervisor', () => {
  test('loses no log line and no exit code', async () => {
    const lines = 2000;
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  writer: { image: busybox, command: ${shell(`i=0; while [ $i -lt ${lines} ]; do echo line $i; i=$((i+1)); [ $((i % 100)) = 0 ] && sleep 0.05; done; exit 6`)} }\n  keeper: { image: busybox, command: ${FOREVER} }\n`,
    );
    await supervisor.waitFor('writer', 'running', ({ pid }) => pid !== null);
    for (let kills = 0; kills < 3; kills++) {
      await supervisor.crash();
      await supervisor.start();
    }
    expect(await supervisor.waitFor('writer', 'exited', ({ phase }) => phase === 'Exited')).toMatchObject({
      exitCode: 6,
    });
    const log = await supervisor.ok('logs', 'writer');
    expect(log).toBe(Array.from({ length: lines }, (_, index) => `line ${index}\n`).join(''));
  });
});

test('an operation without a recorded end appears in the history', async () => {
  const slow = (word: string) =>
    shell(`trap 'echo asked ${word}; sleep 3; exit 0' TERM; echo up; while :; do sleep 0.1; done`);
  const manifest = (word: string) =>
    `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${slow(word)}, stopTimeout: 30s, restart: always }\n`;
  supervisor.drop('app.yaml', manifest('one'));
  const { pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  await until('up', async () => (await supervisor.ok('logs', 'web')) === 'up\n');
  supervisor.drop('app.yaml', manifest('two'));
  await until('the stop', async () => (await supervisor.ok('logs', 'web')).includes('asked one'));
  await supervisor.crash();
  await supervisor.start();
  await supervisor.waitFor('web', 'started again', (view) => view.ready && view.pid !== pid);
  expect(await supervisor.ok('why', 'web')).toContain('stopped (begun; the supervisor ended meanwhile)');
});

/** The read may have ended before the supervisor: who says that it worked has written all of it. */
async function expectFailedOrWhole(reading: Promise<CliResult>, name: string): Promise<void> {
  const { status } = await reading;
  if (status === 0)
    expect(execFileSync('tar', ['tf', join(supervisor.base, name)]).toString()).toContain('bin/busybox');
}

describe('a container during a read of its files', () => {
  const TICKS = shell(
    'dd if=/dev/zero of=/large bs=1M count=400; i=0; while true; do i=$((i+1)); echo tick $i; sleep 0.05; done',
  );
  const MANIFEST = `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${TICKS}, restart: always, health: { exec: [busybox, "true"], interval: 100ms, timeout: 1s, retries: 2 } }\n`;
  const lastTick = async () =>
    Number(/tick (\d+)\n$/.exec((await supervisor.cli('logs', '--tail', '1', 'web')).stdout)?.[1]);
  /** Ready may come before there is a file that takes long to read. */
  const runTicks = async () => {
    supervisor.drop('app.yaml', MANIFEST);
    const { pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await until('the large file', async () => (await lastTick()) > 0);
    return pid;
  };

  test('is paused without being reported unhealthy, and continues when reader or supervisor ends', async () => {
    const pid = await runTicks();
    const reading = supervisor.cli('export', 'web', '-o', supervisor.file('web.tar', ''));
    await supervisor.waitFor('web', 'paused', ({ phase }) => phase === 'Paused');
    expect(await reading).toMatchObject({ status: 0 });
    expect(await supervisor.waitFor('web', 'ready again', ({ ready }) => ready)).toMatchObject({ pid, restarts: 0 });

    const interrupted = supervisor.cli('export', 'web', '-o', supervisor.file('again.tar', ''));
    await supervisor.waitFor('web', 'paused', ({ phase }) => phase === 'Paused');
    await supervisor.crash();
    await expectFailedOrWhole(interrupted, 'again.tar');
    await supervisor.start();
    expect(await supervisor.waitFor('web', 'running', ({ ready }) => ready)).toMatchObject({ pid, restarts: 0 });
    const before = await lastTick();
    await until('the payload going on', async () => (await lastTick()) > before + 2);
  });

  test('continues when its shim answers the next supervisor late', async () => {
    const pid = await runTicks();
    const reading = supervisor.cli('export', 'web', '-o', supervisor.file('web.tar', ''));
    await supervisor.waitFor('web', 'paused', ({ phase }) => phase === 'Paused');
    const shim = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    process.kill(shim, 'SIGSTOP');
    try {
      await supervisor.crash();
      await expectFailedOrWhole(reading, 'web.tar');
      await supervisor.start();
      await supervisor.waitFor('web', 'left alone', ({ message }) => message.includes('runs on untouched'));
    } finally {
      process.kill(shim, 'SIGCONT');
    }
    expect(await supervisor.waitFor('web', 'running', ({ ready }) => ready)).toMatchObject({ pid, restarts: 0 });
    const before = await lastTick();
    await until('the payload going on', async () => (await lastTick()) > before + 2);
    // Otherwise its check fails, and the next run of it continues.
    expect(await supervisor.container('web')).toMatchObject({ pid, restarts: 0 });
  });
});

test('an edit with a missing image does not prevent the next supervisor from starting', async () => {
  const manifest = (image: string) => `${BUSYBOX_IMAGE}  later: { archive: /nowhere/later.tar }
containers:
  back: { image: ${image}, command: ${FOREVER} }
  front: { image: busybox, command: ${FOREVER}, links: [back] }
`;
  supervisor.drop('app.yaml', manifest('busybox'));
  const back = await supervisor.waitFor('back', 'ready', ({ ready }) => ready);
  const front = await supervisor.waitFor('front', 'ready', ({ ready }) => ready);
  supervisor.drop('app.yaml', manifest('later'));
  await supervisor.waitFor('back', 'waiting for its image', ({ message }) => /later/.test(message));
  await supervisor.crash();
  await supervisor.start();
  for (const { name, id, pid } of [back, front]) {
    expect(await supervisor.container(name)).toMatchObject({ id, pid, phase: 'Running', restarts: 0 });
  }
});

describe('a killed shim', () => {
  test('ends its payload, and the restart policy applies', async () => {
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER}, restart: always }\n`,
    );
    const first = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const shim = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${first.pid}/status`, 'utf8'))?.[1]);
    expect(readFileSync(`/proc/${shim}/comm`, 'utf8').trim()).toBe('tsdocker-shim');
    process.kill(shim, 'SIGKILL');
    const second = await supervisor.waitFor('web', 'restarted', ({ ready, pid }) => ready && pid !== first.pid);
    expect(second.id).toBe(first.id);
    expect(supervisor.hostState().processes).toHaveLength(1);
  });
});
