/**
 * The program of the shim is one file in memory for all containers. With `init: true` it is the first process, and root of
 * the container reached it by /proc/1/exe: `chmod 0` there kept every container of the host from starting, with its
 * sessions and probes, until the supervisor was started again.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { app, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;
beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  supervisor.drop('prey.yaml', app(`  prey: { image: busybox, init: true, command: ${FOREVER} }\n`));
  await supervisor.waitFor('prey', 'runs', ({ ready }) => ready);
});
afterAll(() => supervisor.destroy());

test.each(['chmod 0', 'chmod 0644', 'chown 1000:1000', 'chmod 4777', 'chmod 0111', 'truncate -s 0'])(
  '%s of the program of the first process does not prevent later starts',
  async (change) => {
    const words = change.split(' ');
    const { status, stderr } = await supervisor.cli('exec', 'prey', 'busybox', ...words, '/proc/1/exe');
    if (/^truncate|^chmod 0$|^chmod 0644$/.test(change)) {
      expect(status).not.toBe(0);
      expect(stderr).toMatch(/Operation not permitted|Text file busy/);
    }
    const mode = await supervisor.ok('exec', 'prey', 'busybox', 'stat', '-L', '-c', '%A', '/proc/1/exe');
    expect(mode).toMatch(/[xs]..x..x$/m);
  },
);

test('containers of root and of another user start afterwards', async () => {
  const user = `  user: { image: prey/busybox, init: true, user: "1000", command: ${FOREVER} }\n`;
  supervisor.drop('later.yaml', `containers:\n  root: { image: prey/busybox, command: ${FOREVER} }\n${user}`);
  await supervisor.waitFor('root', 'runs', ({ ready }) => ready);
  await supervisor.waitFor('user', 'runs', ({ ready }) => ready);
  expect(await supervisor.ok('exec', 'user', 'busybox', 'id', '-u')).toBe('1000\n');
});
