/**
 * What strangers send to the routes that there are: ids, queries and bodies that are nearly right meet an answer that says
 * what is wrong, and the supervisor goes on as before. `npm run docker:long` sends a million.
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROUTES } from '../../src/docker/routes/routes.ts';
import { busyboxArchive } from '../support/busybox-image.ts';
import { ask, type RawAnswer } from '../support/docker-client.ts';
import { DOCKER_RUN } from '../support/docker-run-body.ts';
import { Random } from '../support/random.ts';
import { TestSupervisor } from '../support/supervisor.ts';

/** Of 20 requests each. */
const ROUNDS = Number(process.env.TSD_REQUEST_ROUNDS ?? 250);
const AT_ONCE = 20;
/** They go on until their client leaves, ask other hosts, or make an image each time. */
const LEFT_OUT =
  /events|attach|wait|stats|logs|exec\/\{id\}\/start|build|session|grpc|auth|search|distribution|push|commit|images\/(create|load)/;
const ROUTES_ASKED = ROUTES.filter(({ path }) => !LEFT_OUT.test(path));

/** With which Docker answers 500, too. */
const AS_DOCKER = /is not paused/;

const NAMES = ['made', 'made', 'nothing', '%20', '%00', '..%2f..%2fetc', '%ff', 'a'.repeat(5_000), '%1b%5b2J', 'mad'];
const QUERIES = [
  'all',
  'filters',
  'limit',
  'size',
  'name',
  'path',
  't',
  'signal',
  'force',
  'v',
  'h',
  'w',
  'names',
  'repo',
  'tag',
];
const VALUES = [
  '1',
  '',
  '-1',
  '1e999',
  '%00',
  '{"label":{"a":true}}',
  '{"name":["["]}',
  '{"x":1}',
  '/',
  '..',
  'made',
  '%ff',
];
const JUNK = [
  null,
  '',
  'x',
  '\u0000',
  '\u001b[2J',
  'a'.repeat(10_000),
  -1,
  0,
  1,
  1.5,
  2 ** 53,
  1e300,
  true,
  [],
  {},
  [null],
  [[]],
  ['x'],
  ['/:/x'],
  { x: null },
  { '80/tcp': null },
  { '80/tcp': [{ HostPort: 'x' }] },
  { __proto__: { x: 1 } },
  [{ Type: 'bind' }],
];

let supervisor: TestSupervisor;
const call = (method: string, path: string, body?: unknown): Promise<RawAnswer> =>
  ask(supervisor.socket, method, path, { body });

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
});
afterAll(() => supervisor.destroy());

function spoilt(random: Random, object: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const copy: Record<string, unknown> = { ...object };
  for (let count = random.below(3); count >= 0; count--) copy[random.pick(Object.keys(object))] = random.pick(JUNK);
  return copy;
}

/** As a client sends it to create a container, with some members that it would not send. */
function body(random: Random): Buffer {
  const whole = spoilt(random, DOCKER_RUN);
  const host = random.chance(0.7) ? { HostConfig: spoilt(random, DOCKER_RUN.HostConfig) } : {};
  const text = JSON.stringify(random.chance(0.9) ? { ...whole, ...host } : random.pick(JUNK));
  return Buffer.from(random.chance(0.95) ? text : text.slice(0, random.below(text.length)));
}

function send(random: Random): Promise<RawAnswer> {
  const { method, path } = random.pick(ROUTES_ASKED);
  const filled = path.replace(/\{[^}]+\}/g, () => random.pick(NAMES));
  const query = Array.from({ length: random.below(3) }, () => `${random.pick(QUERIES)}=${random.pick(VALUES)}`);
  const isRead = method === 'GET' || method === 'HEAD';
  const headers = { 'content-type': 'application/json' };
  const address = `/v1.${random.pick([24, 40, 44, 45, 51])}${filled}?${query.join('&')}`;
  return ask(supervisor.socket, method, address, isRead ? {} : { body: body(random), headers });
}

/** It may have been removed or renamed by any request. */
async function restore(): Promise<void> {
  for (const name of JSON.parse((await call('GET', '/containers/json?all=1')).body.toString()) as { Id: string }[])
    await call('DELETE', `/containers/${name.Id}?force=1&v=1`);
  const answer = await call('POST', '/containers/create?name=made', { Image: 'busybox', Cmd: ['sleep', '1000000'] });
  expect(answer.status, answer.body.toString()).toBe(201);
}

const memory = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${supervisor.pid}/status`, 'utf8'))?.[1]) / 1024;

test('requests that are nearly right are answered, and change nothing for good', {
  timeout: 60_000 + ROUNDS * 2_000,
}, async () => {
  const random = new Random(Number(process.env.TSD_SEED ?? 1));
  const { pid } = supervisor;
  const failed = new Map<string, string>();
  const statuses = new Set<number>();
  for (let round = 0; round < ROUNDS; round++) {
    if (round % 20 === 0) await restore();
    for (const { status, body: answer } of await Promise.all(Array.from({ length: AT_ONCE }, () => send(random)))) {
      statuses.add(status);
      const text = answer.toString();
      if (status >= 500 && status !== 501 && status !== 503 && !AS_DOCKER.test(text))
        failed.set(text.replaceAll(/[0-9a-f]{12,}/g, 'ID').slice(0, 200), text);
    }
  }
  expect([...failed.keys()]).toEqual([]);
  for (const status of [200, 204, 400, 404, 409]) expect(statuses).toContain(status);
  expect(supervisor.pid).toBe(pid);
  expect(supervisor.log).not.toContain('"code":"TSD_BUG"');
  expect(memory()).toBeLessThan(500);
});
