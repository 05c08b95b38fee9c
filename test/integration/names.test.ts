/** Names of the containers of a network, in their hosts files. */
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { WhyView } from '../../src/api/views/explain-views.ts';
import { BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
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
  return { ...view, address: view.address ?? '' };
}

async function named(id: string, name: string, address: string | null): Promise<void> {
  const wanted = JSON.stringify(address === null ? [] : [address]);
  await until(`${name} leads to ${wanted}`, async () => JSON.stringify(addressesOf(id, name)) === wanted);
}

const fetched = (from: string, name: string) =>
  supervisor.ok('exec', from, 'busybox', 'wget', '-q', '-O', '-', `http://${name}/`);

test('containers of a network reach each other and themselves by name, also later ones, and others cannot', async () => {
  supervisor.drop(
    'shop.yaml',
    `${BUSYBOX_IMAGE}networks: { back: { internal: true }, front: {} }
containers:
  web: { image: busybox, command: ${SERVE}, network: back, hostname: www }
  far: { image: busybox, command: ${SERVE}, network: front }
  alone: { image: busybox, command: ${FOREVER}, network: none }
  host: { image: busybox, command: ${FOREVER}, network: host }
`,
  );
  const [web, far, alone, host] = [await ready('web'), await ready('far'), await ready('alone'), await ready('host')];
  await named(web.id, 'web', web.address);
  const inode = statSync(fileOf(web.id)).ino;
  supervisor.drop(
    'blog.yaml',
    `${BUSYBOX_IMAGE}containers:
  db: { image: busybox, command: ${SERVE}, network: shop/back, hostname: store, domainname: example.org }
  side: { image: busybox, command: ${FOREVER}, network: "container:db" }
`,
  );
  const db = await ready('db');
  await named(web.id, 'blog-db', db.address);
  await named(web.id, 'store', db.address);
  expect(addressesOf(web.id, 'store.example.org')).toEqual([db.address]);
  // Short names are those of the own app.
  expect(addressesOf(web.id, 'db')).toEqual([]);
  await named(db.id, 'db', db.address);
  await named(db.id, 'shop-web', web.address);
  expect(addressesOf(db.id, 'www')).toEqual([web.address]);
  expect(await fetched('web', 'blog-db')).toBe('store\n');
  expect(await fetched('web', 'web')).toBe('www\n');
  expect(await fetched('db', 'shop-web')).toBe('www\n');
  expect(await fetched('db', 'db')).toBe('store\n');
  await ready('side');
  expect(await supervisor.ok('exec', 'side', 'busybox', 'cat', '/etc/hosts')).toContain(`${web.address}\tshop-web www`);

  expect(addressesOf(far.id, 'web')).toEqual([]);
  expect(addressesOf(far.id, 'far')).toEqual([far.address]);
  expect(addressesOf(web.id, 'far')).toEqual([]);
  for (const { id } of [alone, host]) expect(readFileSync(fileOf(id), 'utf8')).not.toContain('names on this network');
  expect({ inode: statSync(fileOf(web.id)).ino, pid: (await supervisor.container('web'))?.pid }).toEqual({
    inode,
    pid: web.pid,
  });
});

test('a name follows stop and start of its container, and stays during a restart', async () => {
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:
  web: { image: busybox, command: ${FOREVER} }
  db: { image: busybox, command: ${FOREVER} }
  crash: { image: busybox, command: ${shell('exit 3')}, restart: { policy: always, backoff: { initial: 1h } } }
`,
  );
  const [web, db] = [await ready('web'), await ready('db')];
  const crash = await supervisor.waitFor('crash', 'backing off', ({ phase }) => phase === 'BackingOff');
  await named(web.id, 'db', db.address);
  expect(addressesOf(web.id, 'crash')).toEqual([crash.address]);
  await supervisor.ok('stop', 'db');
  await named(web.id, 'db', null);
  expect(addressesOf(web.id, 'crash')).toEqual([crash.address]);
  await supervisor.ok('start', 'db');
  await named(web.id, 'db', db.address);
});

test('why names the host that a program did not find, and the field that makes it known', async () => {
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { back: {}, front: {} }
containers:
  db: { image: busybox, command: ${SERVE}, network: back }
  web: { image: busybox, command: [busybox, wget, -q, -O, "-", "http://db/"], network: front }
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
  await named(web.id, 'app-b', b.address);
  expect(addressesOf(web.id, 'b')).toEqual([a.address]);
  expect(addressesOf(web.id, 'a')).toEqual([a.address]);
  expect(addressesOf(web.id, 'app-a')).toEqual(['192.0.2.7']);
});

test("hosts files of an older version get the names without a restart and keep the container's changes", async () => {
  const text = `${BUSYBOX_IMAGE}containers:
  web: { image: busybox, command: ${FOREVER} }
  db: { image: busybox, command: ${FOREVER} }
`;
  supervisor.drop('app.yaml', text);
  const [web, db] = [await ready('web'), await ready('db')];
  await named(web.id, 'db', db.address);
  await supervisor.crash();
  // As it was written before there were names in it.
  const before = readFileSync(fileOf(web.id), 'utf8').split('# names on', 1)[0] ?? '';
  expect(addressesIn(before, 'db')).toEqual([]);
  const inode = statSync(fileOf(web.id)).ino;
  writeFileSync(fileOf(web.id), before);
  appendFileSync(fileOf(web.id), '192.0.2.9\tmine\n');
  await supervisor.start();
  await named(web.id, 'db', db.address);
  const now = readFileSync(fileOf(web.id), 'utf8');
  expect(now.startsWith(`${before}192.0.2.9\tmine\n`)).toBe(true);
  expect(statSync(fileOf(web.id)).ino).toBe(inode);
  expect(await supervisor.ok('plan')).toBe('Nothing to do.\n');
  for (const { name, pid } of [web, db]) expect((await ready(name)).pid).toBe(pid);
  await supervisor.ok('stop', 'db');
  await named(web.id, 'db', null);
  expect(readFileSync(fileOf(web.id), 'utf8')).toBe(now.replace(`${db.address}\tdb app-db\n`, ''));
});

test('with start-first a name resolves to the predecessor until the cut-over, then to the successor', async () => {
  const manifest = (version: string) => `${BUSYBOX_IMAGE}containers:
  client: { image: busybox, command: ${FOREVER} }
  web: { image: busybox, command: ${SERVE}, env: { VERSION: "${version}" }, update: { order: start-first, drain: 2s } }
`;
  supervisor.drop('app.yaml', manifest('1'));
  const [client, before] = [await ready('client'), await ready('web')];
  await named(client.id, 'web', before.address);
  const seen: string[] = [];
  let ended = false;
  const watching = (async () => {
    while (!ended) {
      const now = addressesOf(client.id, 'web').join(' ');
      if (seen.at(-1) !== now) seen.push(now);
      await new Promise((next) => setImmediate(next));
    }
  })();
  supervisor.drop('app.yaml', manifest('2'));
  const after = await supervisor.waitFor('web', 'replaced', ({ ready: up, id }) => up && id !== before.id);
  await named(client.id, 'web', after.address);
  ended = true;
  await watching;
  expect(seen).toEqual([before.address, after.address]);
  expect(addressesOf(client.id, 'web.next')).toEqual([]);
  expect(addressesOf(client.id, 'web.old')).toEqual([]);
  // Its own file, written while it was the successor, follows as well.
  await named(after.id, 'web', after.address);
});
