/** Memory as preflight measures it: this supervisor reads another /proc/meminfo, bound over the real one for it alone. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const directory = mkdtempSync('/tmp/tsd-test-meminfo-');
const meminfo = join(directory, 'meminfo');
const real = readFileSync('/proc/meminfo', 'utf8');
const BOUND = `mount --bind ${meminfo} /proc/meminfo && exec "$@"`;

/** In place: the mount is of this inode. */
function pretend(totalMib: number, availableMib: number): void {
  const changed = real
    .replace(/^MemTotal:.*$/m, `MemTotal:       ${totalMib * 1024} kB`)
    .replace(/^MemAvailable:.*$/m, `MemAvailable:   ${availableMib * 1024} kB`);
  writeFileSync(meminfo, changed);
}

let supervisor: TestSupervisor;

beforeAll(async () => {
  pretend(2048, 1024);
  supervisor = await new TestSupervisor([], ['unshare', '--mount', 'sh', '-c', BOUND, 'sh']).start();
});

afterAll(async () => {
  await supervisor.destroy();
  rmSync(directory, { recursive: true });
});

const manifest = (resources: string, mode: string) => `${BUSYBOX_IMAGE}containers:
  web:
    image: busybox
    command: ${FOREVER}
    restart: always
    env: { MODE: ${mode} }
    resources: ${resources}
`;

test('an update without enough memory is refused before the first stop, and proceeds once there is enough', async () => {
  const file = supervisor.drop('app.yaml', manifest('{ memory: 64MiB }', 'one'));
  const before = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const untouched = { id: before.id, pid: before.pid, phase: 'Running', ready: true, restarts: 0 };

  pretend(2048, 7);
  supervisor.drop('app.yaml', manifest('{ memory: 64MiB }', 'two'));
  const held = await supervisor.waitFor('web', 'held', ({ message }) => message.includes('memory'));
  expect(held).toMatchObject(untouched);
  expect(held.message).toContain(`${file}:4:`);
  expect(held.message).toContain('only 7MiB of memory are available, and a start needs 16MiB');
  expect((await supervisor.cli('plan')).stdout).toContain('only 7MiB of memory are available');

  // What needs no start is done: the limits of what runs.
  supervisor.drop('app.yaml', manifest('{ memory: 32MiB }', 'one'));
  const limited = await supervisor.waitFor('web', 'changed in place', ({ message }) => !message.includes('memory'));
  expect(limited).toMatchObject(untouched);

  // A container that ended has had its room, and comes back.
  process.kill(before.pid ?? 0, 'SIGKILL');
  const again = await supervisor.waitFor('web', 'back', ({ ready, pid }) => ready && pid !== before.pid);
  expect(again.id).toBe(before.id);

  supervisor.drop('app.yaml', manifest('{ memory: 32MiB }', 'two'));
  await supervisor.waitFor('web', 'held again', ({ message }) => message.includes('of memory are available'));
  pretend(2048, 1024);
  await supervisor.waitFor('web', 'changed', ({ ready, pid }) => ready && pid !== again.pid);
});

test('a limit of more than all memory is refused with its line and both numbers', async () => {
  const file = supervisor.drop('app.yaml', manifest('{ memory: 64MiB }', 'one'));
  const before = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  supervisor.drop('app.yaml', manifest('{ memory: 3GiB }', 'two'));
  const held = await supervisor.waitFor('web', 'held', ({ message }) => message.includes('more than this host has'));
  expect(held).toMatchObject({ id: before.id, pid: before.pid, phase: 'Running' });
  expect(held.message).toContain('memory of 3072MiB is more than this host has (2048MiB)');
  expect(held.message).toContain(`${file}:9:`);
});
