/** Dependencies and links across apps, with real containers. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

test('`completed` waits for exit code 0, `started` for a start, and the default for readiness', async () => {
  const signals = join(supervisor.base, 'signals');
  mkdirSync(signals);
  const wait = (file: string) => `while [ ! -e /signals/${file} ]; do sleep 0.05; done`;
  const volume = `volumes: ["${signals}:/signals"]`;
  supervisor.drop(
    'order.yaml',
    `${BUSYBOX_IMAGE}containers:
  migrate: { image: busybox, command: ${shell(`${wait('migrate')}; exit 0`)}, ${volume} }
  broken: { image: busybox, command: ${shell(`${wait('broken')}; exit 3`)}, ${volume} }
  slow: { image: busybox, command: ${FOREVER}, ${volume}, health: { readiness: { exec: [busybox, test, -e, /signals/slow], interval: 100ms } } }
  after-migrate: { image: busybox, command: ${FOREVER}, dependsOn: ["migrate:completed"] }
  after-broken: { image: busybox, command: ${FOREVER}, dependsOn: [{ container: broken, condition: completed }] }
  after-start: { image: busybox, command: ${FOREVER}, dependsOn: ["slow:started"] }
  after-ready: { image: busybox, command: ${FOREVER}, dependsOn: [slow] }
`,
  );
  const started = await supervisor.waitFor('after-start', 'ready', ({ ready }) => ready);
  const slow = await supervisor.container('slow');
  expect(slow).toMatchObject({ phase: 'Running', ready: false });
  expect(Date.parse(started.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(slow?.startedAt ?? ''));
  await supervisor.waitFor('migrate', 'running', ({ pid }) => pid !== null);
  const parked = ['after-migrate', 'after-broken', 'after-ready'];
  for (const [index, dependency] of ['migrate', 'broken', 'slow'].entries()) {
    const waiting = await supervisor.waitFor(parked[index] ?? '', 'parked', ({ conditions }) =>
      conditions.some(({ reason }) => reason === 'DependencyNotReady'),
    );
    expect(waiting).toMatchObject({ phase: 'Pending', pid: null });
    expect(waiting.message).toContain(`container/order/${dependency}`);
  }

  for (const name of ['migrate', 'broken', 'slow']) writeFileSync(join(signals, name), '');
  const migrated = await supervisor.waitFor('after-migrate', 'ready', ({ ready }) => ready);
  const { finishedAt } = await supervisor.waitFor('migrate', 'ended', ({ phase }) => phase === 'Exited');
  expect(Date.parse(migrated.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(finishedAt ?? ''));
  await supervisor.waitFor('after-ready', 'ready', ({ ready }) => ready);
  await supervisor.waitFor('broken', 'ended', ({ exitCode }) => exitCode === 3);
  const stuck = await supervisor.waitFor('after-broken', 'told', ({ message }) => message.includes('3'));
  expect(stuck).toMatchObject({ phase: 'Pending', pid: null });
});

test('apply --wait waits for containers that others need completed', async () => {
  const manifest = (job: string) =>
    `app: waiting
${BUSYBOX_IMAGE}containers:
  site: { image: busybox, command: ${FOREVER}, dependsOn: ["setup:completed"] }
  setup: { image: busybox, command: ${shell(`sleep 1; ${job}`)} }
`;
  const input = (job: string) => supervisor.cliWithInput(manifest(job), 'apply', '-f', '-', '--wait', '20s');
  const failed = await input('exit 1');
  expect([failed.status, failed.stderr]).toEqual([expect.any(Number), expect.stringContaining('exited with 1')]);
  expect(failed.status).not.toBe(0);
  expect(await input('exit 0')).toMatchObject({ status: 0 });
  expect(await supervisor.container('setup')).toMatchObject({ pid: null, exitCode: 0 });
});

test('a link into another app passes its address, follows changes, and orders the start', async () => {
  const address = (third: string) =>
    `networks: { back: { subnet: ${supervisor.subnet.replace('232', '234')}.0/24 } }
containers:
  db: { image: busybox, command: ${shell(`mkdir /www; echo from db > /www/index.html; busybox httpd -p 80 -h /www; ${IDLE}`)}, expose: [80], network: back, address: ${supervisor.subnet.replace('232', '234')}.${third} }
`;
  // The dependent is declared first, and waits for an app that is not there yet.
  supervisor.drop(
    'front.yaml',
    `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${shell(`env | sort; wget -q -O - http://database/; ${IDLE}`)}, network: shop/back, links: ["shop/db:database"] }\n`,
  );
  const rejected = async () => (await supervisor.ok('get', 'manifests')).includes('Rejected');
  await until('the edit rejected or parked', async () => (await rejected()) || (await supervisor.container('web')));
  supervisor.drop('shop.yaml', `${BUSYBOX_IMAGE}${address('20')}`);
  const web = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const db = await supervisor.container('db');
  expect(db?.address).toMatch(/\.20$/);
  expect(Date.parse(web.startedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(db?.startedAt ?? ''));
  const log = await until('the answer in the log', async () => {
    const { stdout } = await supervisor.cli('logs', 'web');
    return stdout.includes('from db') ? stdout : null;
  });
  expect(log).toContain(`DATABASE_PORT_80_TCP_ADDR=${db?.address}`);
  expect(log).toContain(`DATABASE_PORT=tcp://${db?.address}:80`);
  const hosts = () => supervisor.ok('exec', 'web', 'busybox', 'cat', '/etc/hosts');
  expect(await hosts()).toContain(`${db?.address}\tdatabase`);

  supervisor.drop('shop.yaml', `${BUSYBOX_IMAGE}${address('30')}`);
  const moved = await supervisor.waitFor('db', 'moved', (view) => view.ready && view.address?.endsWith('.30') === true);
  await until('the new address in the dependent', async () => (await hosts()).includes(`${moved.address}\tdatabase`));
});
