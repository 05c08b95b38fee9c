/** kill -9 of the supervisor at each step of an update that starts first; the next start has to bring it to its end. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();
let port = 0;
/** Every case is an update of the same container to a word of its own. */
let word = 'w0';
let serial = 0;

beforeAll(async () => {
  port = await freePort();
  await supervisor.start();
  edit(word, serving(word));
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  await supervisor.waitFor('client', 'ready', ({ ready }) => ready);
});

afterAll(async () => {
  await supervisor.destroy();
});

const serving = (value: string, then = 'exec busybox httpd -f -p 80 -h /www') =>
  shell(`mkdir -p /www; echo ${value} > /www/index.html; ${then}`);

/** Serves, is ready, and exits with 3 on request. */
const servingUntilTold = (value: string) =>
  serving(value, 'busybox httpd -f -p 80 -h /www & until [ -e /fail ]; do sleep 0.05; done; exit 3');

function edit(value: string, command: string, drain = '300ms'): void {
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:
  web:
    image: busybox
    command: ${command}
    env: { WORD: ${value} }
    restart: always
    stopTimeout: 200ms
    ports: ["127.0.0.1:${port}:80"]
    health: { http: { port: 80 }, interval: 100ms }
    update: { order: start-first, timeout: 30s, drain: ${drain} }
  client: { image: busybox, command: ${FOREVER}, links: [web] }
`,
  );
}

const answer = async (): Promise<string> =>
  (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).text().then((text) => text.trim());

/** Words in the environment of the first processes that run in containers of this supervisor. */
async function payloads(): Promise<string[]> {
  const pids = (await supervisor.containers()).flatMap(({ pid }) => (pid === null ? [] : [pid]));
  return pids.flatMap((pid) => /(?:^|\0)WORD=(\w+)/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[1] ?? []);
}

/** Makes a change, and kills the supervisor as soon as its log says that an operation on the key has ended. */
async function crashAfter(op: string, key: string, change: () => void | Promise<void>): Promise<void> {
  const seen = supervisor.log.length;
  await change();
  const ended = `"key":"container/app/${key}","op":"container.${op}"`;
  await until(`${op} of ${key} ended`, () => supervisor.log.slice(seen).includes(ended));
  await supervisor.crash();
  await supervisor.start();
}

/** One payload with the spec, which answers on the published port and by name, and nothing beside it. */
async function converged(value: string): Promise<void> {
  await until(`only ${value} left`, async () => {
    const names = (await supervisor.containers()).map(({ name }) => name).sort();
    return names.join() === 'client,web' && (await payloads()).join() === value;
  });
  const web = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  await until(`${value} answering`, async () => (await answer().catch(() => '')) === value);
  const hosts = await supervisor.ok('exec', 'client', 'busybox', 'cat', '/etc/hosts');
  expect(hosts).toContain(`${web.address}\tweb`);
  expect(web.ports).toHaveLength(1);
  // Where an update is held back the command exits with 2, and there is nothing to do either.
  await until('nothing left to do', async () => {
    const { stdout } = await supervisor.cli('plan', '-o', 'json');
    return (JSON.parse(stdout) as { readonly ops: readonly unknown[] }).ops.length === 0;
  });
  const { links, processes, cgroups } = supervisor.hostState();
  expect(links.filter((name) => name.startsWith(`v${supervisor.instance}`))).toHaveLength(2);
  expect(processes).toHaveLength(2);
  expect(new Set(cgroups.map((path) => path.split('/').at(-1))).size).toBe(2);
  expect(readdirSync(`${supervisor.root}/containers`)).toHaveLength(2);
}

const nextWord = (): string => `w${++serial}`;

describe('kill -9 of a successful update after', () => {
  test.each([
    ['create', 'web.next'],
    ['start', 'web.next'],
    ['cutover', 'web'],
    ['settle-update', 'web'],
    ['stop', 'web.old'],
    ['remove', 'web.old'],
  ])('%s of %s', async (op, key) => {
    word = nextWord();
    await crashAfter(op, key, () => edit(word, serving(word)));
    await converged(word);
    expect(await supervisor.ok('why', 'web')).toContain('its successor is ready');
  });
});

/** The old one serves as if nothing had been tried, and the reason can be read. */
async function heldBack(id: string | undefined, pid: number | null | undefined): Promise<void> {
  await supervisor.waitFor('web', 'held back', ({ conditions }) =>
    conditions.some(({ reason }) => reason === 'HeldBack'),
  );
  await converged(word);
  expect(await supervisor.container('web')).toMatchObject({ id, pid, restarts: 0 });
  expect(await supervisor.ok('why', 'web')).toMatch(/update failed: exited with 3/);
  expect(await supervisor.ok('get', 'manifests')).toMatch(/app\.yaml.*Held/);
}

describe('kill -9 of a failing update after', () => {
  test.each([
    ['start', 'web.next'],
    ['fail-update', 'web'],
    ['remove', 'web.next'],
  ])('%s of %s, before it is ready', async (op, key) => {
    const before = await supervisor.container('web');
    const bad = nextWord();
    await crashAfter(op, key, () => edit(bad, serving(bad, 'sleep 0.3; exit 3')));
    await heldBack(before?.id, before?.pid);
  });

  test.each([
    ['cutover', 'web'],
    ['fail-update', 'web'],
  ])('%s of %s, while the old one drains', async (op, key) => {
    const before = await supervisor.container('web');
    const bad = nextWord();
    edit(bad, servingUntilTold(bad), '60s');
    await until('the cut-over', async () => (await supervisor.container('web.old')) !== undefined);
    await until('the successor answering', async () => (await answer().catch(() => '')) === bad);
    await crashAfter(op, key, async () => {
      await supervisor.cli('exec', 'web', 'busybox', 'touch', '/fail');
    });
    await heldBack(before?.id, before?.pid);
  });
});
