/** Host facts as the engine's jobs give them: a supervisor on a host that lacks one, and on one that cannot be looked at. */
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { afterEach, expect, test } from 'vitest';
import type { DoctorCheck, InfoView } from '../../src/api/views/host-views.ts';
import { readSysinfo } from '../../src/ffi/host/sysinfo.ts';
import { app, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;
afterEach(() => supervisor.destroy());

/** @param host a script that changes what is in sight of the supervisor alone */
async function start(host: string, ...flags: readonly string[]): Promise<void> {
  const launcher = ['unshare', '-m', 'sh', '-ec', `${host}; exec "$@"`, 'sh'];
  supervisor = await new TestSupervisor(flags, launcher).start();
}
const job = async <T>(...args: readonly string[]): Promise<T> => JSON.parse(await supervisor.ok('job', ...args)) as T;

test('job info has what sysinfo reads on this kernel', async () => {
  await start('true');
  const { limits, appArmor, cgroupVersion } = readSysinfo();
  expect(await job<InfoView>('info')).toMatchObject({
    limits,
    appArmor,
    cgroupVersion,
    memoryLimit: limits.memory,
    swapLimit: limits.memorySwap,
    ipv4Forwarding: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8') === '1\n',
    kernel: release(),
  });
});

test.skipIf(!existsSync('/sys/fs/cgroup/pids'))('job plan warns of a limit that is discarded', async () => {
  await start('umount /sys/fs/cgroup/pids', '--discard-limits');
  supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER}, resources: { pids: 20 } }\n`));
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  expect((await job<InfoView>('info')).limits).toMatchObject({ pids: false });
  const { notes } = await job<{ notes: { message: string; warning?: true }[] }>('plan');
  expect(notes).toMatchObject([
    { message: 'web: this kernel does not support the limit resources.pids; it is discarded', warning: true },
  ]);
});

test('what cannot be read is unknown, not missing', async () => {
  // Its reader gets EIO.
  await start('mount --bind /proc/1/mem /proc/sys/net/ipv4/ip_forward', '--ip-forward=false');
  const info = await job<InfoView>('info');
  expect(info.ipv4Forwarding).toBeNull();
  expect(info.warnings.join()).not.toContain('IPv4 forwarding is off');
  const checks = await job<DoctorCheck[]>('doctor');
  expect(checks.find(({ name }) => name === 'forwarding')).toMatchObject({
    status: 'warning',
    message: expect.stringContaining('cannot be read'),
  });
});
