import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { armed } from '../support/armed.ts';
import { app, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

describe('restart policies', () => {
  test('always restarts a killed payload with the same address', async () => {
    supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER}, restart: always }\n`));
    const first = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    process.kill(first.pid ?? 0, 'SIGKILL');
    const second = await supervisor.waitFor('web', 'restarted', ({ ready, pid }) => ready && pid !== first.pid);
    expect(second).toMatchObject({ id: first.id, address: first.address, restarts: 1 });
  });

  test('no keeps it stopped, with the exit code', async () => {
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

  test('a manual stop lasts until start, also over a restart of the supervisor', async () => {
    supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER}, restart: always }\n`));
    await armed((await supervisor.waitFor('web', 'ready', ({ ready }) => ready)).pid);
    await supervisor.ok('stop', 'web');
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Exited', exitCode: 0 });
    await supervisor.crash();
    await supervisor.start();
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Exited' });
    await supervisor.ok('start', 'web');
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  });

  test('exits without a supervisor reach the policy with true code and time', async () => {
    const onTerm = (answer: string) => shell(`trap '${answer}' TERM; echo armed; while :; do sleep 3600 & wait; done`);
    supervisor.drop(
      'app.yaml',
      app(
        [
          `  once: { image: busybox, command: ${onTerm('exit 5')} }`,
          `  always: { image: busybox, command: ${onTerm('exit 0')}, restart: always }`,
          `  greedy: { image: busybox, command: ${onTerm('exec busybox tail /dev/zero')}, resources: { memory: 16MiB, memorySwap: 16MiB } }`,
        ].join('\n'),
      ),
    );
    const names = ['once', 'always', 'greedy'] as const;
    const before = await Promise.all(
      names.map((name) => supervisor.waitFor(name, 'running', ({ pid }) => pid !== null)),
    );
    for (const name of names) {
      await until(`${name} listens`, async () => (await supervisor.cli('logs', name)).stdout === 'armed\n');
    }
    await supervisor.crash();
    const earliest = Date.now();
    for (const { pid } of before) process.kill(pid ?? 0, 'SIGTERM');
    const records = await Promise.all(before.map(({ id }) => supervisor.exitRecord(id)));
    const latest = Date.now();
    for (const { finishedAtMs } of records) {
      expect(finishedAtMs).toBeGreaterThanOrEqual(earliest);
      expect(finishedAtMs).toBeLessThanOrEqual(latest);
    }
    await supervisor.start();
    await supervisor.waitFor('always', 'restarted', ({ ready, pid }) => ready && pid !== before[1]?.pid);
    const [once, , greedy] = await Promise.all(names.map((name) => supervisor.container(name)));
    const at = records.map(({ finishedAtMs }) => new Date(finishedAtMs).toISOString());
    expect(once).toMatchObject({ phase: 'Exited', exitCode: 5, finishedAt: at[0], restarts: 0 });
    expect(greedy).toMatchObject({ phase: 'Exited', exitCode: 137, finishedAt: at[2], restarts: 0 });
    expect(greedy?.message).toContain('out of memory');
    const events = (await supervisor.ok('events', '-o', 'json')).trim().split('\n');
    const ends = events.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'exit');
    expect(Object.fromEntries(ends.map(({ resource, time, what, run }) => [resource, { time, what, run }]))).toEqual({
      'container/app/once': { time: at[0], what: 'exited', run: 1 },
      'container/app/always': { time: at[1], what: 'exited', run: 1 },
      'container/app/greedy': { time: at[2], what: 'oom-killed', run: 1 },
    });
  });

  test('kill, restart and wait work', async () => {
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

  test('start and restart explain why nothing started', async () => {
    supervisor.drop('app.yaml', app('  web: { image: busybox, command: [missing], restart: always }\n'));
    await supervisor.waitFor('web', 'failed', ({ message }) => message.includes('missing'));
    for (const command of ['start', 'restart']) {
      const { status, stderr } = await supervisor.cli(command, 'web');
      expect([status, stderr]).toEqual([1, expect.stringMatching(/container app-web was not started: .*missing/)]);
      expect(stderr).toContain('hint: Check command and entrypoint against the image.');
    }
  });
});
