/** Names of the containers of a network: of those that ask the resolver, and in the hosts files of runs of before there was one. */
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { WhyView } from '../../src/api/views/explain-views.ts';
import { BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { addressesOf as asked, namesOf } from '../support/names.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

const SERVE = shell(`mkdir -p /www; hostname > /www/index.html; busybox httpd -p 80 -h /www; ${IDLE}`);

const fileOf = (id: string): string => join(supervisor.root, 'containers', id, 'hosts');

/** Addresses that a hosts file has for a name. */
function addressesIn(text: string, name: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.split(/\s+/);
    return !line.startsWith('#') && names.includes(name) ? [address] : [];
  });
}

const addressesOf = (id: string, name: string): string[] => addressesIn(readFileSync(fileOf(id), 'utf8'), name);

async function ready(name: string) {
  const view = await supervisor.waitFor(name, 'ready', (found) => found.ready);
  return { ...view, address: view.address ?? '', pid: view.pid ?? 0 };
}

type Asker = Awaited<ReturnType<typeof ready>>;

/** Waits until a container finds an address by a name, or none. */
async function named({ pid }: Asker, name: string, address: string | null): Promise<void> {
  const wanted = JSON.stringify(address === null ? [] : [address]);
  await until(`${name} leads to ${wanted}`, async () => JSON.stringify(await asked(pid, name)) === wanted);
}

async function namedInFile({ id }: Asker, name: string, address: string | null): Promise<void> {
  const wanted = JSON.stringify(address === null ? [] : [address]);
  await until(`${name} stands for ${wanted}`, () => JSON.stringify(addressesOf(id, name)) === wanted);
}

/** Makes it a run of a version without a resolver, while no supervisor runs. */
function withoutResolver({ id }: Asker): void {
  const path = join(supervisor.root, 'containers', id, 'config.json');
  const record = JSON.parse(readFileSync(path, 'utf8')) as { Tsdocker: { Resolver?: object } };
  expect(record.Tsdocker.Resolver).toBeDefined();
  delete record.Tsdocker.Resolver;
  writeFileSync(path, JSON.stringify(record));
}

const fetched = (from: string, name: string) =>
  supervisor.ok('exec', from, 'busybox', 'wget', '-q', '-O', '-', `http://${name}/`);

test('containers of a network reach each other and themselves by name, also later ones, and others cannot', async () => {
  supervisor.drop(
    'shop.yaml',
    `${BUSYBOX_IMAGE}networks: { back: { internal: true }, front: { internal: true } }
containers:
  web: { image: busybox, command: ${SERVE}, network: back, hostname: www }
  far: { image: busybox, command: ${SERVE}, network: front }
  alone: { image: busybox, command: ${FOREVER}, network: none }
  host: { image: busybox, command: ${FOREVER}, network: host }
`,
  );
  const [web, far, alone, host] = [await ready('web'), await ready('far'), await ready('alone'), await ready('host')];
  await named(web, 'web', web.address);
  const inode = statSync(fileOf(web.id)).ino;
  supervisor.drop(
    'blog.yaml',
    `${BUSYBOX_IMAGE}containers:
  db: { image: busybox, command: ${SERVE}, network: shop/back, hostname: store, domainname: example.org }
  side: { image: busybox, command: ${FOREVER}, network: "container:db" }
`,
  );
  const db = await ready('db');
  for (const name of [
    'blog-db',
    'store',
    'store.example.org',
    'blog-db.back',
    'blog-db.shop-back',
    db.id.slice(0, 12),
  ]) {
    await named(web, name, db.address);
  }
  // Short names are those of the own app.
  await named(web, 'db', null);
  await named(web, 'db.back', null);
  await named(db, 'db', db.address);
  await named(db, 'shop-web', web.address);
  await named(db, 'WWW', web.address);
  expect(await namesOf(db.pid, web.address)).toEqual(['shop-web.shop-back']);
  expect(await asked(web.pid, 'blog-db', 'AAAA')).toEqual([expect.stringMatching(/^fd/)]);
  expect(await fetched('web', 'blog-db')).toBe('store\n');
  expect(await fetched('web', 'web')).toBe('www\n');
  expect(await fetched('db', 'shop-web')).toBe('www\n');
  expect(await fetched('db', 'db')).toBe('store\n');
  await ready('side');
  expect(await fetched('side', 'shop-web')).toBe('www\n');

  await named(far, 'web', null);
  await named(far, 'far', far.address);
  await named(web, 'far', null);
  for (const { id } of [web, db, far, alone, host]) {
    expect(readFileSync(fileOf(id), 'utf8')).not.toContain('names on this network');
  }
  expect({ inode: statSync(fileOf(web.id)).ino, pid: (await supervisor.container('web'))?.pid }).toEqual({
    inode,
    pid: web.pid,
  });
});

test('a name follows stop and start of its container, and stays during a restart', async () => {
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { back: { internal: true } }
containers:
  web: { image: busybox, command: ${FOREVER}, network: back }
  db: { image: busybox, command: ${FOREVER}, network: back }
  crash: { image: busybox, command: ${shell('exit 3')}, network: back, restart: { policy: always, backoff: { initial: 1h } } }
`,
  );
  const [web, db] = [await ready('web'), await ready('db')];
  const crash = await supervisor.waitFor('crash', 'backing off', ({ phase }) => phase === 'BackingOff');
  await named(web, 'db', db.address);
  await named(web, 'crash', crash.address);
  await supervisor.ok('stop', 'db');
  await named(web, 'db', null);
  await named(web, 'crash', crash.address);
  await supervisor.ok('start', 'db');
  await named(web, 'db', db.address);
});

test('why names the host that a program did not find, and the field that makes it known', async () => {
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { back: {}, front: {} }
containers:
  db: { image: busybox, command: ${SERVE}, network: back }
  web: { image: busybox, command: [busybox, wget, -q, -O, "-", "http://db/"], network: front, dns: 127.0.0.1 }
  out: { image: busybox, command: [busybox, wget, -q, -O, "-", "http://no-such-host.invalid/"], dns: 127.0.0.1 }
`,
  );
  await ready('db');
  const why = async (name: string) => JSON.parse(await supervisor.ok('why', name, '-o', 'json')) as WhyView;
  await supervisor.waitFor('web', 'ended', ({ phase }) => phase === 'Exited');
  expect(await why('web')).toMatchObject({
    now: expect.arrayContaining(['"db" is unknown to it: app/db is on network back, and this one on front']),
    hint: 'Write `network: back` at app/web, or put both on one network.',
  });
  await supervisor.waitFor('out', 'ended', ({ phase }) => phase === 'Exited');
  expect((await why('out')).now.join()).toContain(
    '"no-such-host.invalid" is unknown to it: no container has that name',
  );
});

test('a link and an extra host win over a container of the same name', async () => {
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:
  a: { image: busybox, command: ${FOREVER} }
  b: { image: busybox, command: ${FOREVER} }
  web: { image: busybox, command: ${FOREVER}, links: ["a:b"], extraHosts: ["app-a:192.0.2.7"] }
`,
  );
  const [a, b, web] = [await ready('a'), await ready('b'), await ready('web')];
  await named(web, 'app-b', b.address);
  await named(web, 'b', a.address);
  await named(web, 'a', a.address);
  expect(addressesOf(web.id, 'b')).toEqual([a.address]);
  expect(addressesOf(web.id, 'app-a')).toEqual(['192.0.2.7']);
});

test("hosts files of a run without a resolver get the names without a restart and keep the container's changes", async () => {
  const text = `${BUSYBOX_IMAGE}containers:
  web: { image: busybox, command: ${FOREVER} }
  db: { image: busybox, command: ${FOREVER} }
`;
  supervisor.drop('app.yaml', text);
  const [web, db] = [await ready('web'), await ready('db')];
  await named(web, 'db', db.address);
  await supervisor.crash();
  withoutResolver(web);
  const before = readFileSync(fileOf(web.id), 'utf8');
  expect(addressesIn(before, 'db')).toEqual([]);
  const inode = statSync(fileOf(web.id)).ino;
  appendFileSync(fileOf(web.id), '192.0.2.9\tmine\n');
  await supervisor.start();
  await namedInFile(web, 'db', db.address);
  const now = readFileSync(fileOf(web.id), 'utf8');
  expect(now.startsWith(`${before}192.0.2.9\tmine\n`)).toBe(true);
  expect(statSync(fileOf(web.id)).ino).toBe(inode);
  expect(await supervisor.ok('plan')).toBe('Nothing to do.\n');
  for (const { name, pid } of [web, db]) expect((await ready(name)).pid).toBe(pid);
  await supervisor.ok('stop', 'db');
  await namedInFile(web, 'db', null);
  expect(readFileSync(fileOf(web.id), 'utf8')).toBe(now.replace(`${db.address}\tdb app-db\n`, ''));
  // Its next run asks the resolver.
  await supervisor.ok('restart', 'web');
  await named(await ready('web'), 'web', web.address);
  expect(readFileSync(fileOf(web.id), 'utf8')).not.toContain('names on this network');
});

test('with start-first a name resolves to the predecessor until the cut-over, then to the successor', async () => {
  const manifest = (version: string) => `${BUSYBOX_IMAGE}networks: { back: { internal: true } }
containers:
  client: { image: busybox, command: ${FOREVER}, network: back }
  web: { image: busybox, command: ${SERVE}, network: back, env: { VERSION: "${version}" }, update: { order: start-first, drain: 2s } }
`;
  supervisor.drop('app.yaml', manifest('1'));
  const [client, before] = [await ready('client'), await ready('web')];
  await named(client, 'web', before.address);
  const seen: string[] = [];
  let ended = false;
  const watching = (async () => {
    while (!ended) {
      const now = (await asked(client.pid, 'web')).join(' ');
      if (seen.at(-1) !== now) seen.push(now);
    }
  })();
  supervisor.drop('app.yaml', manifest('2'));
  await supervisor.waitFor('web', 'replaced', ({ ready: up, id }) => up && id !== before.id);
  const after = await ready('web');
  await named(client, 'web', after.address);
  ended = true;
  await watching;
  // From one container to the other it leads to the same address.
  expect(after.address).toBe(before.address);
  expect(seen).toEqual([before.address]);
  await named(client, 'web.next', null);
  await named(client, 'web.old', null);
  await named(after, 'web', after.address);
});
