/** A start-first update keeps the address of a container: who resolved its name once does not notice it. */
import { execFileSync } from 'node:child_process';
import { openSync } from 'node:fs';
import { isIP } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Load } from '../support/load/load.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();
const PORT = 8080;

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

const SERVER = new URL('../support/load', import.meta.url).pathname;

const manifest = (version: string): string => `${BUSYBOX_IMAGE}  node: { host: ["${process.execPath}"] }
networks: { lan: { ipv6: true } }
containers:
  peer: { image: busybox, command: ${FOREVER}, network: lan, stopTimeout: 0s }
  web:
    image: node
    network: lan
    command: [${process.execPath}, /load/server.mjs, ${version}, "${PORT}"]
    volumes: ["${SERVER}:/load:ro"]
    health: { tcp: { port: ${PORT} }, interval: 200ms }
    stopTimeout: 1s
    update: { order: start-first, timeout: 2m, drain: 12s }
`;

/** The addresses of a container, without prefix lengths. */
async function addressesOf(name: string): Promise<string[]> {
  const [endpoint] = (await supervisor.container(name))?.endpoints ?? [];
  return [endpoint?.ipv4, endpoint?.ipv6].map((address) => address?.split('/')[0] ?? '');
}

/** Running containers that have one of these addresses, by what their namespaces say. */
async function having(addresses: readonly string[]): Promise<string[]> {
  const running = (await supervisor.containers()).filter(({ pid }) => pid !== null);
  return running.flatMap(({ name, pid }) => {
    const inside = ['-t', String(pid), '-n', 'ip', '-o', 'addr', 'show', 'scope', 'global'];
    const shown = execFileSync('nsenter', inside, { encoding: 'utf8' });
    return addresses.filter((address) => shown.includes(` ${address}/`)).map(() => name);
  });
}

/** No one on a bridge may send from addresses of others: each host's end is fenced, the successor's to both of its own. */
const fences = (): string => execFileSync('nft', ['list', 'ruleset', 'bridge'], { encoding: 'utf8' });

test('three updates under load: no request fails, no open connection is reset before the drain ends', async () => {
  supervisor.drop('steady.yaml', manifest('v0'));
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const peer = await supervisor.waitFor('peer', 'ready', ({ ready }) => ready);
  const addresses = await addressesOf('web');
  expect(addresses.map((address) => isIP(address))).toEqual([4, 6]);
  for (const address of addresses) expect(fences()).toContain(address);
  const load = new Load(openSync(`/proc/${peer.pid}/ns/net`, 'r'), {
    port: PORT,
    rate: 200,
    open: 20,
    addresses,
  });
  await until('all are open', async () => ((await load.look()).start?.slow.v0 ?? 0) >= 20);
  for (const version of ['v1', 'v2', 'v3']) {
    await load.mark(version);
    supervisor.drop('steady.yaml', manifest(version));
    await until(`${version} answers`, async () => ((await load.look())[version]?.answers[version] ?? 0) > 50);
    // Before the drain ends: whoever was connected still is.
    expect((await load.look())[version]).toMatchObject({ failed: [], slowFailed: [] });
    expect(await addressesOf('web')).toEqual(addresses);
    await until('the old one gone', async () => (await supervisor.container('web.old')) === undefined);
    await supervisor.waitFor('web', 'settled', ({ conditions }) => !conditions.some(({ type }) => type === 'Updating'));
    expect(await having(addresses)).toEqual(['web', 'web']);
  }
  const parts = await load.end();
  const own = (await addressesOf('peer')).sort();
  for (const part of Object.values(parts)) {
    expect(part.failed).toEqual([]);
    expect(Object.keys(part.seen).sort()).toEqual(own);
  }
}, 240_000);

test('a supervisor killed while a move drains leaves one owner, and the next one ends it', async () => {
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const peer = await supervisor.waitFor('peer', 'ready', ({ ready }) => ready);
  const addresses = await addressesOf('web');
  const load = new Load(openSync(`/proc/${peer.pid}/ns/net`, 'r'), {
    port: PORT,
    rate: 100,
    open: 5,
    addresses,
  });
  supervisor.drop('steady.yaml', manifest('v4'));
  await until('v4 answers', async () => ((await load.look()).start?.answers.v4 ?? 0) > 10);
  await supervisor.crash();
  await load.mark('dead');
  await until('answers', async () => ((await load.look()).dead?.answers.v4 ?? 0) > 50);
  expect((await load.look()).dead).toMatchObject({ failed: [], slowFailed: [] });
  await supervisor.start();
  await until('the old one gone', async () => (await supervisor.container('web.old')) === undefined);
  await load.mark('over');
  await until('answers', async () => ((await load.look()).over?.answers.v4 ?? 0) > 50);
  const { start: all, dead, over } = await load.end();
  for (const part of [all, dead, over]) expect(part?.failed).toEqual([]);
  expect(Object.keys(over?.answers ?? {})).toEqual(['v4']);
  expect(await having(addresses)).toEqual(['web', 'web']);
}, 240_000);
