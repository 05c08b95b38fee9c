/** The disk under the root directory fails: every access is EIO, as when the device is gone. */
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { failFilesystem } from '../support/failing-filesystem.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** An ext4 on a loop device. */
class Disk {
  readonly path = mkdtempSync('/tmp/tsd-test-disk-');
  readonly #image = `${this.path}.img`;

  constructor() {
    writeFileSync(this.#image, '');
    truncateSync(this.#image, 256 * 1024 ** 2);
    execFileSync('mke2fs', ['-q', '-t', 'ext4', this.#image]);
    this.mount();
    mkdirSync(join(this.path, 'root'));
  }

  mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#image, this.path]);
  }

  fail(): void {
    failFilesystem(this.path);
  }

  /** Waits until nobody uses it any more. */
  async unmount(): Promise<void> {
    await until('the disk to be unused', () => {
      execFileSync('umount', [this.path], { stdio: 'ignore' });
      return true;
    });
  }

  remove(): void {
    rmdirSync(this.path);
    rmSync(this.#image);
  }
}

test('is named by what meets it, ends no container, and everything is there again when it is back', async () => {
  const disk = new Disk();
  cleanups.push(async () => {
    await disk.unmount();
    disk.remove();
  });
  const supervisor = new TestSupervisor();
  symlinkSync(join(disk.path, 'root'), supervisor.root);
  cleanups.push(() => supervisor.destroy());
  await supervisor.start();
  const { instance } = supervisor;
  const manifest = (name: string) =>
    `${BUSYBOX_IMAGE}containers:\n  ${name}: { image: busybox, command: ${FOREVER}, restart: always }\n`;
  supervisor.drop('first.yaml', manifest('first'));
  const first = await supervisor.waitFor('first', 'ready', ({ ready }) => ready);
  await until('nothing left to do', async () => (await supervisor.cli('plan')).status === 0);

  disk.fail();
  const second = supervisor.file('second.yaml', manifest('second'));
  const applied = await supervisor.cli('apply', '-f', second);
  expect(applied.status).not.toBe(0);
  const named = new RegExp(`^error: .*${disk.path}/root/.*: EIO`);
  expect(applied.stderr).toMatch(named);
  const remembered =
    /^warning: the disk fails: read .*\/root\/.*: EIO.*; what is shown is what the supervisor remembers$/m;
  for (const list of ['containers', 'images']) {
    expect(await supervisor.cli('get', list)).toEqual({
      status: 0,
      stdout: expect.stringMatching(/first +(Running|Ready)/),
      stderr: expect.stringMatching(remembered),
    });
  }
  const [view] = await supervisor.containers();
  expect(view).toMatchObject({ id: first.id, phase: 'Running', ready: true, pid: first.pid });
  expect(view?.conditions.find(({ type }) => type === 'DiskFailing')).toMatchObject({ reason: 'StateUnreadable' });
  expect((await supervisor.cli('plan')).stderr).toMatch(named);
  await supervisor.ok('info');
  expect(existsSync(`/proc/${first.pid}`)).toBe(true);

  await supervisor.crash();
  await expect(supervisor.start()).rejects.toThrow(/^the supervisor ended:\nerror: .*EIO/);
  expect(existsSync(`/proc/${first.pid}`)).toBe(true);
  // A disk comes back with a reboot, which ends all processes.
  process.kill(
    Number(/^PPid:\s+(\d+)/m.exec(execFileSync('cat', [`/proc/${first.pid}/status`], { encoding: 'utf8' }))?.[1]),
    'SIGKILL',
  );
  await disk.unmount();
  disk.mount();
  await supervisor.start();
  expect(supervisor.instance).toBe(instance);
  const again = await supervisor.waitFor('first', 'started again', ({ ready, pid }) => ready && pid !== first.pid);
  expect(again.id).toBe(first.id);
  await supervisor.ok('apply', '--wait=60s', '-f', second);
});
