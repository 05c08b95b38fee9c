/** The end of a payload that its shim cannot write down: no name can be given in its directory. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { armed } from '../support/armed.ts';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;
let directory = '';

const freeze = (frozen: boolean) => execFileSync('chattr', [frozen ? '+i' : '-i', directory]);

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(async () => {
  if (directory !== '') freeze(false);
  await supervisor.destroy();
});

test('is reported with a hint, delays no other, survives the supervisor, and is recorded once possible', async () => {
  const web = shell('trap "exit 7" TERM; while :; do sleep 3600 & wait; done');
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${web}, restart: always }\n  other: { image: busybox, command: ${FOREVER}, links: [web] }\n`,
  );
  const { id, pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const other = await supervisor.waitFor('other', 'ready', ({ ready }) => ready);
  directory = join(supervisor.root, 'execdriver', 'native', id);
  freeze(true);
  await armed(pid);
  process.kill(pid ?? 0, 'SIGTERM');
  const view = () =>
    supervisor.waitFor('web', 'its end not written down', ({ conditions }) =>
      conditions.some(({ type }) => type === 'ExitUnrecorded'),
    );
  expect(await view()).toMatchObject({ phase: 'Stopping', ready: false, restarts: 0 });
  expect((await view()).message).toMatch(
    /^its payload has ended, .*\/exit\.1: EPERM; repair the disk: .* or give the exit status up by `kill -9 \d+`$/,
  );
  expect(await supervisor.cli('stop', 'web')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('its payload has ended'),
  });
  expect(await supervisor.container('other')).toMatchObject({ pid: other.pid, phase: 'Running', ready: true });
  await supervisor.crash();
  await supervisor.start();
  expect(await view()).toMatchObject({ phase: 'Stopping' });

  freeze(false);
  await supervisor.waitFor('web', 'started again', (view) => view.ready && view.pid !== pid);
  expect(await supervisor.ok('why', 'web')).toContain('exited with 7 (run 1)');
});
