/** Files of the root that Docker 1.4 reads: they say what the kernel says. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { busyboxBase, dockerArchive, findBusybox, tarOf } from '../support/images.ts';
import { FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const CANARY = 'correct-horse-battery';

let supervisor: TestSupervisor;
beforeEach(async () => {
  supervisor = new TestSupervisor();
});
afterEach(() => supervisor.destroy());

const device = z.strictObject({
  type: z.number(),
  path: z.string().optional(),
  major_number: z.number(),
  minor_number: z.number(),
  cgroup_permissions: z.string(),
  file_mode: z.number().optional(),
  uid: z.number().optional(),
  gid: z.number().optional(),
});

/** libcontainer's Config as of Docker 1.4, and our two keys. */
const containerSchema = z.strictObject({
  mount_config: z.strictObject({
    readonly_fs: z.boolean().optional(),
    mounts: z.array(
      z.strictObject({
        type: z.string(),
        source: z.string().optional(),
        destination: z.string(),
        writable: z.boolean().optional(),
        private: z.boolean().optional(),
      }),
    ),
    device_nodes: z.array(device),
  }),
  root_fs: z.string(),
  hostname: z.string(),
  user: z.string().optional(),
  working_dir: z.string(),
  environment: z.array(z.string()),
  tty: z.boolean().optional(),
  namespaces: z.record(z.string(), z.boolean()),
  capabilities: z.array(z.string()),
  networks: z.array(
    z.strictObject({
      type: z.string(),
      ns_path: z.string().optional(),
      bridge: z.string().optional(),
      veth_prefix: z.string().optional(),
      mac_address: z.string().optional(),
      address: z.string().optional(),
      gateway: z.string().optional(),
      mtu: z.number().optional(),
    }),
  ),
  cgroups: z.strictObject({
    name: z.string(),
    allowed_devices: z.array(device),
    memory: z.number(),
    cpu_quota: z.number(),
    cpu_period: z.number(),
  }),
  restrict_sys: z.boolean(),
  rlimits: z.array(z.strictObject({ type: z.number(), hard: z.number(), soft: z.number() })),
  run: z.number(),
  cgroup_paths: z.record(z.string(), z.string()),
});

const stateSchema = z.looseObject({
  init_pid: z.number(),
  init_start_time: z.string(),
  network_state: z.strictObject({
    veth_host: z.string().optional(),
    veth_child: z.string().optional(),
    ns_path: z.string().optional(),
  }),
  cgroup_paths: z.record(z.string(), z.string()),
});

const MANIFEST = `
containers:
  web:
    image: files:1
    command: ${FOREVER}
    env: { MODE: production, PASSWORD: { fromFile: ./password } }
    volumes: ["data:/data", "./site:/site:ro"]
    devices: ["/dev/fuse:/dev/inner:r"]
    resources: { memory: 64MiB, cpus: 0.5, ulimits: { nofile: 512, core: unlimited } }
  beside: { image: files:1, command: ${FOREVER}, network: "container:web" }
volumes: { data: {} }
`;

/** Loads an image with two layers, a hard link and a deletion among them, and starts the two containers. */
async function started(): Promise<Readonly<Record<string, { id: string; pid: number }>>> {
  const layer = tarOf(
    { path: 'opt/a', content: 'x'.repeat(10_000) },
    { path: 'opt/b', type: 'link', linkname: 'opt/a' },
    { path: 'opt/c', type: 'symlink', linkname: 'opt/a' },
    { path: 'etc/.wh.group' },
  );
  const archive = supervisor.file('files.tar', dockerArchive({ layers: [busyboxBase(), layer], names: ['files:1'] }));
  supervisor.file('password', CANARY);
  supervisor.file('site/index.html', 'hello');
  const load = await supervisor.ok('load', '-i', archive);
  expect(load).toContain('Loaded image: files:1');
  await supervisor.ok('apply', '--wait=2m', '-f', supervisor.file('app.yaml', MANIFEST));
  const containers = await supervisor.containers();
  return Object.fromEntries(containers.map(({ name, id, pid }) => [name, { id: id ?? '', pid: pid ?? 0 }]));
}

const jsonOf = (id: string, name: string): unknown =>
  JSON.parse(readFileSync(join(supervisor.root, 'execdriver', 'native', id, name), 'utf8'));

const inNamespace = (pid: number, ...args: string[]) =>
  JSON.parse(execFileSync('nsenter', ['-t', String(pid), '-n', 'ip', '-j', ...args], { encoding: 'utf8' }));

/** Mount point → options of the mount, as a process has them. */
function mountsOf(pid: number): Map<string, string> {
  const lines = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trim().split('\n');
  return new Map(lines.map((line) => [line.split(' ')[4] ?? '', line.split(' ')[5] ?? '']));
}

/** Bytes of the files below, by inode: what du --apparent-size counts without directories. */
function filesBelow(directory: string): number {
  const listing = execFileSync('find', [directory, '!', '-type', 'd', '-printf', '%i %s\n'], { encoding: 'utf8' });
  return [...new Set(listing.trim().split('\n'))].reduce((sum, line) => sum + Number(line.split(' ')[1] ?? 0), 0);
}

function imageFiles() {
  const [id = ''] = readdirSync(join(supervisor.root, 'graph')).filter((name) => name !== '_tmp');
  const directory = join(supervisor.root, 'graph', id);
  const record = JSON.parse(readFileSync(join(directory, 'json'), 'utf8')) as {
    Size: number;
    Tsdocker: { Layers: { ChainId: string }[] };
  };
  const layers = record.Tsdocker.Layers.map(({ ChainId }) => join(supervisor.root, 'overlay', ChainId, 'diff'));
  return { id, directory, record, bytes: layers.map(filesBelow).reduce((sum, bytes) => sum + bytes, 0) };
}

describe.skipIf(findBusybox() === null)('files of the state, as Docker 1.4 reads them (needs busybox)', () => {
  test('container.json has the mounts, devices, limits, networks and environment of the run, state.json its interfaces', async () => {
    await supervisor.start();
    const { web = { id: '', pid: 0 }, beside = { id: '', pid: 0 } } = await started();
    const container = containerSchema.parse(jsonOf(web.id, 'container.json'));
    const state = stateSchema.parse(jsonOf(web.id, 'state.json'));

    const mounted = mountsOf(web.pid);
    const { mounts, device_nodes: nodes } = container.mount_config;
    expect(mounts.map(({ destination }) => destination)).toEqual(
      expect.arrayContaining(['/data', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/site']),
    );
    for (const { destination, writable } of mounts) {
      expect(mounted.get(destination)?.split(',')[0], destination).toBe(writable === true ? 'rw' : 'ro');
    }
    for (const { path = '', major_number: major, minor_number: minor, file_mode: mode = 0 } of nodes) {
      const found = statSync(`/proc/${web.pid}/root${path}`);
      expect([path, found.rdev, found.mode & 0o7777]).toEqual([path, major * 256 + minor, mode]);
    }
    expect(nodes.map(({ path }) => path)).toEqual(expect.arrayContaining(['/dev/null', '/dev/inner']));
    const { rdev } = statSync('/dev/fuse');
    expect(container.cgroups.allowed_devices).toContainEqual(
      expect.objectContaining({
        type: 99,
        major_number: rdev >> 8,
        minor_number: rdev & 0xff,
        cgroup_permissions: 'r',
      }),
    );
    expect(container.cgroups).toMatchObject({ memory: 64 * 1024 ** 2, cpu_quota: 50_000, cpu_period: 100_000 });
    expect(container.rlimits).toContainEqual({ type: 7, hard: 512, soft: 512 });
    expect(readFileSync(`/proc/${web.pid}/limits`, 'utf8')).toMatch(/Max open files +512 +512/);
    const text = readFileSync(join(supervisor.root, 'execdriver', 'native', web.id, 'container.json'), 'utf8');
    expect(text).toContain('{"type":4,"hard":18446744073709551615,"soft":18446744073709551615}');

    expect(container.environment).toEqual(
      expect.arrayContaining(['MODE=production', expect.stringMatching(/^PASSWORD=tsd-secret:/)]),
    );
    expect(text).not.toContain(CANARY);
    const names = readFileSync(`/proc/${web.pid}/environ`, 'utf8')
      .split('\0')
      .map((entry) => entry.split('=')[0]);
    const recorded = container.environment.map((entry) => entry.split('=')[0]);
    expect(names.filter((name) => name !== '' && name !== 'HOME').sort()).toEqual([...recorded].sort());

    const veth = container.networks.find(({ type }) => type === 'veth');
    const [inside] = inNamespace(web.pid, 'addr', 'show', state.network_state.veth_child ?? '');
    const [address] = inside.addr_info.filter(({ family }: { family: string }) => family === 'inet');
    expect(veth).toMatchObject({
      mac_address: inside.address,
      address: `${address.local}/${address.prefixlen}`,
      mtu: inside.mtu,
      gateway: inNamespace(web.pid, 'route', 'show', 'default')[0].gateway,
    });
    const [host] = JSON.parse(
      execFileSync('ip', ['-j', 'link', 'show', state.network_state.veth_host ?? ''], { encoding: 'utf8' }),
    );
    expect([host.master, host.ifindex]).toEqual([veth?.bridge, inside.link_index]);
    expect(container.networks[0]).toMatchObject({ type: 'loopback', address: '127.0.0.1/0' });

    const other = stateSchema.parse(jsonOf(beside.id, 'state.json'));
    expect(other.network_state).toEqual({ ns_path: `/proc/${web.pid}/ns/net` });
    expect(statSync(`/proc/${beside.pid}/ns/net`).ino).toBe(statSync(other.network_state.ns_path ?? '').ino);
  });

  test('layersize and Size are the bytes of the layers, and 0 from an earlier version is repaired while containers run', async () => {
    await supervisor.start('--gc-interval=1s');
    const { web } = await started();
    const { directory, record, bytes } = imageFiles();
    expect(bytes).toBeGreaterThan(10_000);
    expect([record.Size, readFileSync(join(directory, 'layersize'), 'utf8')]).toEqual([bytes, String(bytes)]);

    await supervisor.stop();
    writeFileSync(join(directory, 'layersize'), '0');
    writeFileSync(
      join(directory, 'json'),
      readFileSync(join(directory, 'json'), 'utf8').replace(`"Size":${bytes},"Tsdocker"`, '"Size":0,"Tsdocker"'),
    );
    await supervisor.start('--gc-interval=1s');
    await until('the size looked up', () => readFileSync(join(directory, 'layersize'), 'utf8') === String(bytes));
    expect(await supervisor.container('web')).toMatchObject({ pid: web?.pid, phase: 'Running' });
    expect(existsSync(join(supervisor.root, 'execdriver', 'native', web?.id ?? '', 'state.json'))).toBe(true);
    expect(await supervisor.ok('plan')).toMatch(/nothing|0 operations|^\s*$/i);
  });
});
