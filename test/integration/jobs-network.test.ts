import { execFileSync, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { app, FOREVER, shell } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { type CliResult, TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor(['--icc=false', '--log-level', 'debug']).start();
});
const undo: (() => unknown)[] = [];
afterEach(async () => {
  // The pair would keep the bridge.
  for (const step of undo.splice(0).reverse()) step();
  await supervisor.destroy();
});

const job = (name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> =>
  supervisor.cli(
    'job',
    name,
    ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    '--',
    ...args,
  );
async function answer<T>(...asked: Parameters<typeof job>): Promise<T> {
  const { status, stdout, stderr } = await job(...asked);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as T;
}
interface Interface {
  readonly IP: string;
}

test('the driver is initialised by its job with the settings of the daemon', async () => {
  expect(supervisor.log).toContain('-job init_networkdriver() = OK (0)');
  expect(await job('init_networkdriver', [])).toMatchObject({ status: 0, stderr: '' });
  const same = { BridgeIP: `${supervisor.subnet}.1/24`, InterContainerCommunication: '0' };
  expect((await job('init_networkdriver', [], same)).status).toBe(0);
  const other = await job('init_networkdriver', [], { BridgeIP: '10.9.9.1/24' });
  expect(other.status).toBe(1);
  expect(other.stderr).toContain(`BridgeIP is ${supervisor.subnet}.1/24 in the supervisor that runs`);
});

test('an interface has an address that no container gets, until it is released', async () => {
  const first = await answer<Interface>('allocate_interface', ['vm1'], { RequestedMac: '02:00:00:00:00:09' });
  expect(first).toEqual({
    Bridge: supervisor.bridge,
    Gateway: `${supervisor.subnet}.1`,
    IP: `${supervisor.subnet}.2`,
    IPPrefixLen: 24,
    MacAddress: '02:00:00:00:00:09',
    Mask: 'ffffff00',
  });
  expect(await answer('allocate_interface', ['vm1'])).toEqual(first);
  const asked = { RequestedIP: `${supervisor.subnet}.77` };
  expect(await answer('allocate_interface', ['vm2'], asked)).toMatchObject({
    IP: `${supervisor.subnet}.77`,
    MacAddress: expect.stringMatching(/^02:42:0a:e8:.*:4d$/),
  });
  expect((await job('allocate_interface', ['vm3'], asked)).stderr).toContain('ip already allocated');
  expect((await job('allocate_interface', ['vm3'], { RequestedIP: '10.1.1.1' })).stderr).toContain('out of range');
  expect((await job('allocate_interface', ['vm3'], { RequestedIP: 'nonsense' })).stderr).toContain('no IPv4 address');
  supervisor.drop('app.yaml', app(`  it: { image: busybox, command: ${FOREVER} }\n`));
  const it = await supervisor.waitFor('it', 'running', ({ phase }) => phase === 'Running');
  expect([first.IP, asked.RequestedIP]).not.toContain(it.address);
  expect(await answer('allocate_interface', ['app-it'])).toMatchObject({ IP: it.address, Bridge: supervisor.bridge });
  expect((await job('release_interface', ['app-it'])).stderr).toContain('as long as it is declared');
  expect((await job('release_interface', ['vm1'])).status).toBe(0);
  expect((await job('release_interface', ['vm1'])).stderr).toContain('No network information to release for vm1');
  expect((await answer<Interface>('allocate_interface', ['vm4'], { RequestedIP: first.IP })).IP).toBe(first.IP);
});

/** Something on the bridge that is no container: a namespace with one end of a pair, in which a script runs. */
function machine(address: string, script: string): void {
  const [namespace, outer] = [`tsdt-${process.pid}`, `tv${process.pid}`];
  const ip = (...args: string[]): unknown => execFileSync('ip', args, { stdio: 'pipe' });
  ip('netns', 'add', namespace);
  undo.push(() => ip('netns', 'del', namespace));
  ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
  undo.push(() => ip('link', 'del', outer));
  ip('link', 'set', outer, 'master', supervisor.bridge, 'up');
  ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
  ip('-n', namespace, 'link', 'set', 'eth0', 'up');
  const child = spawn('ip', ['netns', 'exec', namespace, 'sh', '-c', script], { detached: true, stdio: 'ignore' });
  undo.push(() => process.kill(-(child.pid ?? 0), 'SIGKILL'));
}

test('a port of the host leads to an interface that is no container’s', async () => {
  const { IP } = await answer<Interface>('allocate_interface', ['vm']);
  machine(IP, 'while :; do echo hello | busybox nc -l -p 80; done');
  const HostPort = String(await freePort());
  const port = { HostIP: '127.0.0.1', HostPort, ContainerPort: '80' };
  expect(await answer('allocate_port', ['vm'], port)).toEqual({ HostIP: '127.0.0.1', HostPort: Number(HostPort) });
  const read = async (): Promise<string> => await text(connect(Number(HostPort), '127.0.0.1').setTimeout(2_000));
  await expect.poll(read).toBe('hello\n');
  expect((await job('allocate_port', ['vm'], port)).stderr).toContain(
    `Bind for 127.0.0.1:${HostPort} failed: port is already allocated`,
  );
  await answer('allocate_interface', ['other']);
  const taken = await job('allocate_port', ['other'], port);
  expect(taken.stderr).toContain('port is already allocated: vm has it');
  expect(taken.stderr).toContain('tsdocker job release_interface vm');
  const chosen = await answer<{ HostPort: number }>('allocate_port', ['vm'], {
    Proto: 'udp',
    ContainerPort: '53',
    HostIP: '127.0.0.1',
  });
  expect(chosen.HostPort).toBeGreaterThanOrEqual(49_153);
  const free = createSocket('udp4');
  free.bind(chosen.HostPort, '127.0.0.1');
  expect(String((await once(free, 'error'))[0])).toContain('EADDRINUSE');
  free.close();
  expect((await job('release_interface', ['vm'])).status).toBe(0);
  const server = createServer().listen(Number(HostPort), '127.0.0.1');
  await once(server, 'listening');
  server.close();
});

test('a port of a container is the one that its manifest has', async () => {
  const hostPort = await freePort();
  supervisor.drop(
    'app.yaml',
    app(`  it: { image: busybox, command: ${FOREVER}, ports: ["127.0.0.1:${hostPort}:80"] }\n`),
  );
  await supervisor.waitFor('it', 'running', ({ phase }) => phase === 'Running');
  expect(await answer('allocate_port', ['app-it'], { ContainerPort: '80' })).toEqual({
    HostIP: '127.0.0.1',
    HostPort: hostPort,
  });
  const missing = await job('allocate_port', ['app-it'], { ContainerPort: '81' });
  expect(missing.status).toBe(1);
  expect(missing.stderr).toContain('ports: ["81/tcp"]');
  expect((await job('allocate_port', ['nothing'], { ContainerPort: '80' })).stderr).toContain(
    'nothing has no interface',
  );
  expect((await job('allocate_port', ['app-it'])).stderr).toContain('ContainerPort is missing');
});

test('a link opens a port between two containers, and closes it', async () => {
  const serve = shell('while :; do echo hello | nc -l -p 80; done');
  supervisor.drop(
    'app.yaml',
    app(`  web: { image: busybox, command: ${FOREVER} }\n  db: { image: busybox, command: ${serve} }\n`),
  );
  const web = await supervisor.waitFor('web', 'running', ({ phase }) => phase === 'Running');
  const db = await supervisor.waitFor('db', 'running', ({ phase }) => phase === 'Running');
  const reach = async (): Promise<string> =>
    (await supervisor.cli('exec', 'web', 'busybox', 'nc', '-w', '2', db.address ?? '', '80')).stdout;
  expect(await reach()).toBe('');
  const pair = { ParentIP: web.address ?? '', ChildIP: db.address ?? '', Ports: '["80/tcp"]' };
  expect(await job('link', ['-I'], pair)).toMatchObject({ status: 0, stderr: '' });
  await expect.poll(reach).toBe('hello\n');
  expect(await job('link', ['-D'], pair)).toMatchObject({ status: 0, stderr: '' });
  expect(await reach()).toBe('');
  const strange = { ...pair, ParentIP: '10.1.1.1' };
  expect((await job('link', ['-I'], strange)).stderr).toContain('no running container has the address 10.1.1.1');
  expect((await job('link', ['-I'], { ...strange, IgnoreErrors: '1' })).status).toBe(0);
  expect((await job('link', ['-I'], { ...pair, Ports: '["x"]' })).stderr).toContain('x is no port');
  expect((await job('link', ['sideways'], pair)).status).toBe(1);
  const unknown = { ...pair, ChildIP: '10.1.1.1' };
  expect((await job('link', ['-I'], unknown)).stderr).toContain(
    'no container and no interface has the address 10.1.1.1',
  );
  const { ParentIP, ChildIP } = pair;
  expect((await job('link', ['-I'], { ParentIP, ChildIP })).stderr).toContain('link needs Ports');
  const words = Object.entries(pair).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  expect(await supervisor.cli('job', 'link', '-D', ...words)).toMatchObject({ status: 0, stderr: '' });
});
