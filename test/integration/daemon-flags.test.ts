/** Flags of the daemon that change what containers get of the host. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DoctorCheck, InfoView } from '../../src/api/views/host-views.ts';
import { app, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const sh = (script: string): string => execFileSync('sh', ['-ec', script], { encoding: 'utf8' });

async function supervise(flags: readonly string[] = [], launcher: readonly string[] = []): Promise<TestSupervisor> {
  const supervisor = new TestSupervisor(flags, launcher);
  onTestFinished(() => supervisor.destroy());
  return supervisor.start();
}

const checkOf = async (supervisor: TestSupervisor, name: string): Promise<DoctorCheck | undefined> =>
  (JSON.parse((await supervisor.cli('doctor', '-o', 'json')).stdout) as DoctorCheck[]).find(
    (check) => check.name === name,
  );

const httpServer = (name: string) =>
  shell(`mkdir -p /www; echo ${name} > /www/index.html; busybox httpd -p 80 -h /www; ${IDLE}`);

describe('-b none', () => {
  const withoutBridge = () => supervise(['-b', 'none']);

  test('gives containers of the default network only loopback, and names unpublished ports', async () => {
    const supervisor = await withoutBridge();
    const port = await freePort();
    const look = shell(`ls /sys/class/net; cat /etc/hosts; ${IDLE}`);
    supervisor.drop(
      'app.yaml',
      `${app(
        `  alone: { image: busybox, command: ${look}, hostname: box, ports: ["${port}:80"], stopTimeout: 1s }\n  own: { image: busybox, command: ${look}, network: n, stopTimeout: 1s }\n`,
      )}networks: { n: {} }\n`,
    );
    for (const name of ['alone', 'own']) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
    const logOf = async (name: string) => (await supervisor.cli('logs', name)).stdout;
    expect(
      await until('its interfaces', async () => ((await logOf('alone')).includes('localhost') ? logOf('alone') : null)),
    ).toMatch(/^lo\n127\.0\.1\.1\tbox\n/);
    expect(
      await until('its interfaces', async () => ((await logOf('own')).includes('localhost') ? logOf('own') : null)),
    ).toMatch(/^eth0\nlo\n/);
    expect(sh('ip -o link')).not.toContain(supervisor.bridge);
    expect(await checkOf(supervisor, 'default network')).toMatchObject({
      status: 'warning',
      message: expect.stringContaining('published ports lead nowhere: app/alone'),
    });
    const pid = (await supervisor.container('alone'))?.pid;
    await supervisor.crash();
    await supervisor.start();
    expect(JSON.parse(await supervisor.ok('plan', '-o', 'json'))).toMatchObject({ ops: [] });
    expect(await supervisor.container('alone')).toMatchObject({ pid });
  });

  test('explains why a container cannot link there', async () => {
    const supervisor = await withoutBridge();
    supervisor.drop(
      'app.yaml',
      app(
        `  db: { image: busybox, command: ${FOREVER} }\n  web: { image: busybox, command: ${FOREVER}, links: [db] }\n`,
      ),
    );
    const web = await supervisor.waitFor('web', 'held back', ({ message }) => message.includes('-b none'));
    expect(web.phase).not.toBe('Running');
    await supervisor.waitFor('db', 'ready', ({ ready }) => ready);
  });
});

test('--ip-forward=false leaves the host unchanged, starts containers, and doctor names what does not work', async () => {
  const host = `tsdff${process.pid}`;
  sh(`ip netns add ${host}; ip netns exec ${host} sh -c 'ip link set lo up; echo 0 > /proc/sys/net/ipv4/ip_forward'`);
  onTestFinished(() => {
    sh(`ip netns del ${host}`);
  });
  const within = (script: string) => sh(`ip netns exec ${host} sh -ec '${script}'`);
  const supervisor = await supervise(['--ip-forward=false'], ['nsenter', `--net=/run/netns/${host}`]);
  supervisor.drop(
    'app.yaml',
    app(`  web: { image: busybox, command: ${httpServer('mine')}, ports: ["8080:80"], stopTimeout: 1s }\n`),
  );
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  expect(await until('an answer', () => within('busybox wget -q -O - http://127.0.0.1:8080/'))).toBe('mine\n');
  expect(within('cat /proc/sys/net/ipv4/ip_forward')).toBe('0\n');
  expect(await checkOf(supervisor, 'forwarding')).toMatchObject({
    status: 'warning',
    message: expect.stringContaining('--ip-forward=false'),
  });
  expect(JSON.parse(await supervisor.ok('plan', '-o', 'json'))).toMatchObject({ ops: [] });
  const info = JSON.parse(await supervisor.ok('info', '-o', 'json')) as InfoView;
  expect(info.ipv4Forwarding).toBe(false);
  expect(info.warnings.join()).toContain('IPv4 forwarding is off');
});

test('info shows the limits that the host supports', async () => {
  const supervisor = await supervise();
  const info = JSON.parse(await supervisor.ok('info', '-o', 'json')) as InfoView;
  const memory = '/sys/fs/cgroup/memory/memory';
  const isV1 = existsSync(`${memory}.limit_in_bytes`);
  expect(info).toMatchObject({
    memoryLimit: isV1 || readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8').includes('memory'),
    ipv4Forwarding: readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8') === '1\n',
    appArmor: existsSync('/sys/kernel/security/apparmor') || info.appArmor,
  });
  if (isV1) expect(info.swapLimit).toBe(existsSync(`${memory}.memsw.limit_in_bytes`));
  expect(await supervisor.ok('info')).toMatch(
    /Limits: +memory (yes|no), swap (yes|no)\nIPv4 forwarding: +o(n|ff)\nIPv6 forwarding: +o(n|ff)\nAppArmor/,
  );
  expect(info.cgroupVersion).toBe(isV1 ? 1 : 2);
});

describe('a limit that the host lacks', () => {
  /** In a mount namespace where no hierarchy with pids is in sight. */
  const withoutPids = (...flags: readonly string[]) =>
    supervise(flags, ['unshare', '-m', 'sh', '-ec', 'umount /sys/fs/cgroup/pids; exec "$@"', 'sh']);
  const LIMITED = app(`  web: { image: busybox, command: ${FOREVER}, resources: { pids: 20 }, stopTimeout: 1s }\n`);

  test.skipIf(!existsSync('/sys/fs/cgroup/pids'))('keeps a container from being started, and says so', async () => {
    const supervisor = await withoutPids();
    supervisor.drop('app.yaml', LIMITED);
    const lacks = 'this kernel does not support the limit resources.pids';
    const web = await supervisor.waitFor('web', 'held back', ({ message }) => message.includes(lacks));
    expect(web.phase).not.toBe('Running');
    expect(await supervisor.ok('describe', 'container/web')).toContain('--discard-limits');
    const info = JSON.parse(await supervisor.ok('info', '-o', 'json')) as InfoView;
    expect(info.limits).toMatchObject({ pids: false, memory: true });
    expect(info.warnings).toContain('no pids limit support: a container with resources.pids is not started');
  });

  test.skipIf(!existsSync('/sys/fs/cgroup/pids'))('is discarded with a warning by --discard-limits', async () => {
    const supervisor = await withoutPids('--discard-limits');
    const file = join(supervisor.base, 'app.yaml');
    writeFileSync(file, LIMITED);
    const applied = await supervisor.cli('apply', '-f', file);
    expect(applied.stdout + applied.stderr).toContain('does not support the limit resources.pids; it is discarded');
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const info = JSON.parse(await supervisor.ok('info', '-o', 'json')) as InfoView;
    expect(info.warnings).toContain('no pids limit support: resources.pids is discarded');
    expect(JSON.parse(await supervisor.ok('plan', '-o', 'json'))).toMatchObject({ ops: [] });
  });
});

test('--restart=false keeps stopped containers down until they are started or changed', async () => {
  const supervisor = await supervise();
  const manifest = (changed: string) =>
    app(
      `  down: { image: busybox, command: ${FOREVER}, restart: always, env: { A: "${changed}" } }\n  up: { image: busybox, command: ${FOREVER}, restart: always }\n  asked: { image: busybox, command: ${FOREVER}, restart: always }\n`,
    );
  supervisor.drop('app.yaml', manifest('1'));
  for (const name of ['down', 'up', 'asked']) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
  const before = await supervisor.containers();
  const of = (name: string) => before.find((container) => container.name === name);
  await supervisor.crash();
  for (const name of ['down', 'asked']) {
    process.kill(of(name)?.pid ?? 0, 'SIGKILL');
    await supervisor.exitRecord(of(name)?.id ?? '');
  }
  await supervisor.start('--restart=false');
  await supervisor.waitFor('up', 'ready', ({ ready }) => ready);
  expect((await supervisor.container('up'))?.pid).toBe(of('up')?.pid);
  const down = await supervisor.waitFor('down', 'left down', ({ message }) => message.includes('--restart=false'));
  expect(down.pid).toBeNull();
  await supervisor.ok('start', 'asked');
  await supervisor.waitFor('asked', 'ready', ({ ready }) => ready);
  supervisor.drop('app.yaml', manifest('2'));
  await supervisor.waitFor('down', 'ready', ({ ready }) => ready);
  // What runs is kept up by its policy.
  process.kill(of('up')?.pid ?? 0, 'SIGKILL');
  await supervisor.waitFor('up', 'restarted', ({ ready, pid }) => ready && pid !== of('up')?.pid);
});

describe('--tmpdir', () => {
  test('is used by loads, and emptied by the next start', async () => {
    const supervisor = new TestSupervisor();
    onTestFinished(() => supervisor.destroy());
    const place = join(supervisor.base, 'scratch');
    mkdirSync(place);
    await supervisor.start('--tmpdir', place);
    const own = join(place, `tsdocker-${supervisor.instance}`);
    expect(statSync(own).mode & 0o777).toBe(0o700);
    mkdirSync(join(own, 'work', 'left'));
    supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER} }\n`));
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await supervisor.stop();
    await supervisor.start('--tmpdir', place);
    expect(readdirSync(join(own, 'work'))).toEqual([]);
  });

  test('is refused on another filesystem than the root, with the reason', async () => {
    const supervisor = new TestSupervisor();
    onTestFinished(() => supervisor.destroy());
    await expect(supervisor.start('--tmpdir', '/dev/shm')).rejects.toThrow(
      /another filesystem than the root.*rename\(2\)/,
    );
    sh(`rmdir /dev/shm/tsdocker-${supervisor.instance}`);
  });
});

test('--trust-key names the file of the key', async () => {
  const supervisor = new TestSupervisor();
  onTestFinished(() => supervisor.destroy());
  const key = join(supervisor.base, 'own.json');
  await supervisor.start('--trust-key', key);
  const idOf = async () => (JSON.parse(await supervisor.ok('info', '-o', 'json')) as InfoView).id;
  const id = await idOf();
  expect(existsSync(key)).toBe(true);
  expect(existsSync(join(supervisor.root, 'key.json'))).toBe(false);
  await supervisor.stop();
  await supervisor.start();
  expect(await idOf()).not.toBe(id);
});
