import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

const app = (containers: string) => `${BUSYBOX_IMAGE}containers:\n${containers}`;

describe('restart policies', () => {
  test('always brings back a killed payload with the same address', async () => {
    supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER}, restart: always }\n`));
    const first = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    process.kill(first.pid ?? 0, 'SIGKILL');
    const second = await supervisor.waitFor('web', 'restarted', ({ ready, pid }) => ready && pid !== first.pid);
    expect(second).toMatchObject({ id: first.id, address: first.address, restarts: 1 });
  });

  test('no leaves it, with the exit code', async () => {
    supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${shell('exit 7')} }\n`));
    expect(await supervisor.waitFor('web', 'exited', ({ phase }) => phase === 'Exited')).toMatchObject({
      exitCode: 7,
      ready: false,
      restarts: 0,
    });
  });

  test('on-failure:2 tries twice and gives up', async () => {
    supervisor.drop(
      'app.yaml',
      app(`  web: { image: busybox, command: ${shell('exit 3')}, restart: "on-failure:2" }\n`),
    );
    const end = await supervisor.waitFor('web', 'given up', ({ phase }) => phase === 'Failed' || phase === 'Exited');
    expect(end).toMatchObject({ exitCode: 3, restarts: 2 });
  });

  test('a manual stop holds until start, also over a restart of the supervisor', async () => {
    supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER}, restart: always }\n`));
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await supervisor.ok('stop', 'web');
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Exited', exitCode: 0 });
    await supervisor.crash();
    await supervisor.start();
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Exited' });
    await supervisor.ok('start', 'web');
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  });

  test('exits while the supervisor was away are answered by the policy with the true code', async () => {
    supervisor.drop(
      'app.yaml',
      app(
        `  once: { image: busybox, command: ${shell('sleep 1; exit 5')} }\n  always: { image: busybox, command: ${FOREVER}, restart: always }\n`,
      ),
    );
    const before = await supervisor.waitFor('always', 'ready', ({ ready }) => ready);
    await supervisor.waitFor('once', 'running', ({ pid }) => pid !== null);
    await supervisor.crash();
    process.kill(before.pid ?? 0, 'SIGKILL');
    await supervisor.start();
    await supervisor.waitFor('always', 'restarted', ({ ready, pid }) => ready && pid !== before.pid);
    expect(await supervisor.waitFor('once', 'exited', ({ phase }) => phase === 'Exited')).toMatchObject({
      exitCode: 5,
    });
  });

  test('kill, restart and wait', async () => {
    supervisor.drop(
      'app.yaml',
      app(
        `  web: { image: busybox, command: ${FOREVER}, restart: always }\n  job: { image: busybox, command: ${shell('sleep 1; exit 9')} }\n`,
      ),
    );
    expect((await supervisor.cli('wait', 'job')).stdout.trim()).toBe('9');
    const first = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await supervisor.ok('restart', 'web');
    const second = await supervisor.waitFor('web', 'restarted', ({ ready, pid }) => ready && pid !== first.pid);
    await supervisor.ok('kill', '-s', 'KILL', 'web');
    await until('restarted by policy', async () => {
      const view = await supervisor.container('web');
      return view?.ready && view.pid !== second.pid;
    });
  });
});
