/** A run directory that someone has removed, and with it the sockets by which shims are asked; and one on a disk. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ContainerView } from '../../src/api/views/resource-views.ts';
import { armed } from '../support/armed.ts';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const POLITE = shell('trap "echo asked to end; exit 7" TERM; while :; do sleep 3600 & wait; done');

describe('when the run directory was removed and the supervisor starts again', () => {
  let supervisor: TestSupervisor;
  let before: Record<'web' | 'db' | 'job', ContainerView>;

  beforeEach(async () => {
    supervisor = await new TestSupervisor().start();
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:
  web: { image: busybox, command: ${POLITE} }
  db: { image: busybox, command: ${FOREVER}, restart: always }
  job: { image: busybox, command: ${shell('sleep 3600; exit 3')} }
`,
    );
    const ready = (name: string) => supervisor.waitFor(name, 'ready', (view) => view.ready);
    await armed((await ready('web')).pid);
    before = { web: await ready('web'), db: await ready('db'), job: await ready('job') };
    await supervisor.crash();
    rmSync(supervisor.runDir, { recursive: true });
    await supervisor.start();
  });

  afterEach(() => supervisor.destroy());

  test('containers continue, and can be stopped, killed and started', async () => {
    for (const [name, { pid }] of Object.entries(before)) {
      expect(await supervisor.waitFor(name, 'taken over', ({ phase }) => phase === 'Running')).toMatchObject({ pid });
    }
    expect(await supervisor.ok('exec', 'web', '--', 'busybox', 'echo', 'inside')).toBe('inside\n');
    await supervisor.ok('stop', 'web');
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Exited', exitCode: 7, pid: null });
    expect(await supervisor.ok('logs', 'web')).toBe('asked to end\n');
    await supervisor.ok('start', 'web');
    await supervisor.waitFor('web', 'running again', ({ phase }) => phase === 'Running');
    await supervisor.ok('kill', 'db');
    const again = await supervisor.waitFor('db', 'restarted', ({ ready, pid }) => ready && pid !== before.db.pid);
    expect(again.restarts).toBe(1);
  });

  test('an exit is noticed, and a missing socket is named', async () => {
    await supervisor.waitFor('job', 'taken over', ({ phase }) => phase === 'Running');
    const attached = await supervisor.cli('attach', 'job');
    expect([attached.status, attached.stderr]).toEqual([
      125,
      expect.stringMatching(/\.sock is gone.*tsdocker restart/s),
    ]);
    // The end of the container may take it along.
    await supervisor.cli('exec', 'job', '--', 'busybox', 'killall', 'sleep');
    await until('its end', async () => (await supervisor.container('job'))?.phase === 'Exited');
    expect(await supervisor.container('job')).toMatchObject({ exitCode: 3 });
  });
});

test('doctor and info warn of a run directory that is on a disk', async () => {
  // /tmp may be in memory; this one has to outlive the boot (file-hierarchy(7)).
  const directory = mkdtempSync('/var/tmp/tsd-test-');
  const supervisor = new TestSupervisor(['--run-dir', directory]);
  try {
    mkdirSync(supervisor.runDir);
    await supervisor.start();
    expect((await supervisor.cli('doctor')).stdout).toMatch(/warning\s+run directory\s+\S+ is on a disk/);
    expect((await supervisor.cli('info')).stderr).toContain(`${directory} is not on a tmpfs`);
  } finally {
    await supervisor.destroy();
    rmSync(directory, { recursive: true });
  }
});
