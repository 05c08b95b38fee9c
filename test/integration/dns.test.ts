/** Names are answered while the supervisor is away, and again after the resolver was killed. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { addressesOf } from '../support/names.ts';
import { otherBuild } from '../support/other-build.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

async function ready(name: string) {
  const view = await supervisor.waitFor(name, 'ready', (found) => found.ready);
  return { ...view, address: view.address ?? '', pid: view.pid ?? 0 };
}

type Container = Awaited<ReturnType<typeof ready>>;

async function finds({ pid }: Container, name: string, ...addresses: string[]): Promise<void> {
  const wanted = JSON.stringify(addresses.sort());
  await until(`${name} leads to ${wanted}`, async () => JSON.stringify(await addressesOf(pid, name)) === wanted);
}

const resolvers = () => supervisor.resolvers();

const PAIR = `${BUSYBOX_IMAGE}networks: { back: { internal: true } }
containers:
  web: { image: busybox, command: ${FOREVER}, network: back }
  db: { image: busybox, command: ${FOREVER}, network: back }
`;

test('the resolver runs beside the supervisor without privileges, and none runs without a container that asks', async () => {
  expect(resolvers()).toEqual([]);
  supervisor.drop('app.yaml', PAIR);
  const web = await ready('web');
  await finds(web, 'db', (await ready('db')).address);
  const [pid = 0] = resolvers();
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  expect(status).toMatch(/^Uid:\t65529\t65529\t65529\t65529$/m);
  expect(status).toMatch(/^CapEff:\t0+$/m);
  expect(readFileSync(`/proc/${pid}/cgroup`, 'utf8')).toContain(`tsdocker-${supervisor.instance}-names`);
  await supervisor.ok('stop', 'web', 'db');
  await supervisor.stop();
  expect(resolvers()).toEqual([]);
});

test('names are answered without a supervisor, and its next start takes the same resolver over', async () => {
  supervisor.drop('app.yaml', PAIR);
  const [web, db] = [await ready('web'), await ready('db')];
  await finds(web, 'db', db.address);
  const before = resolvers();
  await supervisor.crash();
  expect(await addressesOf(web.pid, 'db')).toEqual([db.address]);
  await supervisor.start();
  await supervisor.ok('stop', 'db');
  await finds(web, 'db');
  await supervisor.ok('start', 'db');
  await finds(web, 'db', (await ready('db')).address);
  expect(resolvers()).toEqual(before);
  expect(await supervisor.ok('plan')).toBe('Nothing to do.\n');
});

test('a resolver that is killed is started again, also where it is killed without a supervisor', async () => {
  supervisor.drop('app.yaml', PAIR);
  const [web, db] = [await ready('web'), await ready('db')];
  await finds(web, 'db', db.address);
  const [first = 0] = resolvers();
  process.kill(first, 'SIGKILL');
  await until('another resolver', () => resolvers().some((pid) => pid !== first));
  await finds(web, 'db', db.address);
  await supervisor.crash();
  for (const pid of resolvers()) process.kill(pid, 'SIGKILL');
  await supervisor.start();
  await finds(web, 'db', db.address);
  await finds(db, 'web', web.address);
  expect((await ready('web')).pid).toBe(web.pid);
});

test('a resolver whose sockets were removed gives way to one that is known', async () => {
  supervisor.drop('app.yaml', PAIR);
  const [web, db] = [await ready('web'), await ready('db')];
  await finds(web, 'db', db.address);
  const before = resolvers();
  await supervisor.crash();
  execFileSync('rm', ['-rf', join(supervisor.runDir, 'names')]);
  await supervisor.start();
  await until('another resolver alone', () => resolvers().length === 1 && resolvers()[0] !== before[0]);
  await finds(web, 'db', db.address);
});

test('a resolver of another version hands its sockets over, and the next one back', async () => {
  supervisor.drop('app.yaml', PAIR);
  const [web, db] = [await ready('web'), await ready('db')];
  await finds(web, 'db', db.address);
  const [before] = resolvers();
  const program = supervisor.program;
  for (const next of [otherBuild(supervisor.base, (path) => appendFileSync(path, '// another build\n')), program]) {
    await supervisor.crash();
    supervisor.program = next;
    await supervisor.start();
    await until('another resolver alone', () => resolvers().length === 1 && resolvers()[0] !== before);
    await finds(web, 'db', db.address);
    await finds(db, 'web', web.address);
  }
  expect(supervisor.log).toContain('handed its sockets to');
  expect((await ready('web')).pid).toBe(web.pid);
});

test('an image that listens on port 53 of all addresses has it, and its names', async () => {
  const serve = shell('mkdir /www; echo payload > /www/index.html; exec busybox httpd -f -p 0.0.0.0:53 -h /www');
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { back: { internal: true } }
containers:
  dns: { image: busybox, command: ${serve}, network: back }
  db: { image: busybox, command: ${FOREVER}, network: back }
`,
  );
  const [dns, db] = [await ready('dns'), await ready('db')];
  await finds(dns, 'db', db.address);
  await finds(db, 'dns', dns.address);
  // It listens to IPv4 alone, and by the name busybox tries one address, which may be that of IPv6.
  const fetched = await supervisor.ok('exec', 'db', 'busybox', 'wget', '-q', '-O', '-', `http://${dns.address}:53/`);
  expect(fetched).toBe('payload\n');
});

test('without its program a run has names in its hosts file, and says so; the next run with it asks the resolver', async () => {
  const program = supervisor.program;
  await supervisor.stop();
  supervisor.program = otherBuild(supervisor.base, rmSync);
  await supervisor.start();
  supervisor.drop('app.yaml', PAIR);
  const [web, db] = [await ready('web'), await ready('db')];
  const fileOf = (name: string) => readFileSync(join(supervisor.root, 'containers', web.id, name), 'utf8');
  await until('the name of db in the hosts file', () => fileOf('hosts').includes(`${db.address}\tdb app-db`));
  expect(fileOf('resolv.conf')).not.toContain('127.0.0.11');
  const condition = expect.objectContaining({ type: 'NamesUnanswered', status: true });
  expect((await ready('web')).conditions).toContainEqual(condition);
  expect((await supervisor.cli('doctor')).stdout).toContain('the program of the resolver is missing');
  await supervisor.crash();
  supervisor.program = program;
  await supervisor.start();
  // What runs stays as it is.
  expect(fileOf('hosts')).toContain(`${db.address}\tdb app-db`);
  expect((await ready('web')).conditions).not.toContainEqual(condition);
  expect((await ready('web')).pid).toBe(web.pid);
  await supervisor.ok('restart', 'web');
  const again = await ready('web');
  await finds(again, 'db', db.address);
  expect(fileOf('hosts')).not.toContain('app-db');
  expect((await supervisor.cli('doctor')).stdout).toMatch(/the resolver \(pid \d+\) answers 1 containers/);
});

test('what a payload wrote into its resolv.conf stays while it runs', async () => {
  supervisor.drop('app.yaml', PAIR);
  const [web, db] = [await ready('web'), await ready('db')];
  const edited = 'nameserver 192.0.2.1';
  await supervisor.ok('exec', 'web', 'busybox', 'sh', '-c', `echo ${edited} > /etc/resolv.conf`);
  await supervisor.crash();
  await supervisor.start();
  await supervisor.ok('restart', 'db');
  await finds(web, 'db', (await ready('db')).address);
  expect(await supervisor.ok('exec', 'web', 'busybox', 'cat', '/etc/resolv.conf')).toBe(`${edited}\n`);
  expect((await ready('web')).pid).toBe(web.pid);
  expect(db.pid).not.toBe((await ready('db')).pid);
});
