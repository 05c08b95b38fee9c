/**
 * A service manager as payload: this host's systemd, with the very manifest that docs/security.md gives, under the default
 * filter of system calls.
 */
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const DOCUMENT = join(import.meta.dirname, '../../docs/security.md');
const INSTALLED = existsSync('/usr/lib/systemd/systemd') && existsSync('/usr/bin/systemctl');

/** Of this host's Debian everything but its own settings: only the units of this test and what systemd itself brings. */
const LINKS = { bin: 'usr/bin', sbin: 'usr/sbin', lib: 'usr/lib', lib64: 'usr/lib64' };
const DIRECTORIES = ['usr', 'etc/systemd/system', 'run', 'tmp', 'var', 'root', 'proc', 'sys', 'dev'];
const FILES = {
  'etc/machine-id': '',
  'etc/systemd/system/default.target': `[Unit]
Requires=basic.target payload.service
After=basic.target payload.service
`,
  'etc/systemd/system/payload.service': `[Service]
ExecStart=/bin/sleep infinity
PrivateTmp=yes
MemoryMax=64M
`,
};
const COPIED = ['/etc/passwd', '/etc/group', '/usr/lib/os-release'];

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

function makeRootfs(): void {
  const rootfs = join(supervisor.base, 'rootfs');
  for (const name of DIRECTORIES) mkdirSync(join(rootfs, name), { recursive: true });
  for (const [name, target] of Object.entries(LINKS)) symlinkSync(target, join(rootfs, name));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(rootfs, name), text);
  for (const file of COPIED) writeFileSync(join(rootfs, file.replace('/usr/lib', '/etc')), readFileSync(file));
}

/** The container of the document, with the image and programs of this test. */
function documented(): string {
  const text = readFileSync(DOCUMENT, 'utf8');
  const [, block = ''] = /A service manager as payload.*?```yaml\n(.*?)```/s.exec(text) ?? [];
  const { containers } = parse(block) as { containers: { machine: { volumes: unknown[] } } };
  const { machine } = containers;
  const images = { debian: { rootfs: './rootfs' } };
  const volumes = [...machine.volumes, '/usr:/usr:ro'];
  return JSON.stringify({ images, containers: { machine: { ...machine, image: 'debian', volumes } } });
}

/** Where a host process of the service has its group: one of the container's groups, and the path below it. */
function groupsWithService(): string[] {
  const { cgroups } = supervisor.hostState();
  return cgroups
    .map((group) => join(group, 'system.slice/payload.service/cgroup.procs'))
    .filter((file) => existsSync(file) && readFileSync(file, 'utf8').trim() !== '');
}

const inside = (...args: string[]) => supervisor.cli('exec', 'machine', '--', ...args);

/** How the start of systemd ended, with the units that failed in it. */
async function stateOf(): Promise<{ state: string; failed: string }> {
  const state = await until('systemd answers', async () => {
    const { stdout } = await inside('systemctl', 'is-system-running', '--wait');
    return ['', 'offline\n', 'unknown\n'].includes(stdout) ? null : stdout;
  });
  return { state, failed: (await inside('systemctl', '--failed', '--plain', '--no-legend')).stdout };
}

test.skipIf(!INSTALLED)(
  'systemd of Debian runs, has its own group for each service and stops by its signal',
  async () => {
    makeRootfs();
    const file = supervisor.file('app.yaml', documented());
    await supervisor.ok('apply', '--wait', '-f', file);
    expect(await stateOf()).toEqual({ state: 'running\n', failed: '' });
    expect((await inside('systemctl', 'is-active', 'payload.service')).stdout).toBe('active\n');
    expect(groupsWithService()).not.toEqual([]);
    const view = await supervisor.container('machine');
    expect(readFileSync(`/proc/${view?.pid}/status`, 'utf8')).toMatch(/^Seccomp:\t2$/m);

    await supervisor.ok('stop', 'machine');
    // 137 would say that the time for the stop ran out.
    expect(await supervisor.container('machine')).toMatchObject({ phase: 'Exited', exitCode: 0 });

    // What the first run made of its groups does not stand in the way of the next.
    await supervisor.ok('start', 'machine');
    expect(await stateOf()).toEqual({ state: 'running\n', failed: '' });

    await supervisor.ok('delete', '-f', file);
    await until('its removal', async () => (await supervisor.containers()).length === 0);
    expect(supervisor.hostState()).toMatchObject({ cgroups: [], processes: [] });
  },
);
