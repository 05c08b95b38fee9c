/** Many clients that follow the log of one container, one that never reads, and all of them gone without a word. */
import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { ask, docker } from '../support/docker-client.ts';
import { rawSocket } from '../support/docker-raw.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
}, 60_000);
afterAll(() => supervisor.destroy(), 60_000);

const CLIENTS = 100;
/** Of those, so many never read. */
const IDLE = 50;
const ROUNDS = 4;
const LINES = 1500;
const LINE = 'x'.repeat(1000);
/** All that the idle ones are not sent in the rounds after the first is more than twice that. */
const MOST_GROWTH_KIB = (IDLE * (ROUNDS - 1) * LINES) / 2.3;

const descriptors = (): number => readdirSync(`/proc/${supervisor.pid}/fd`).length;
const residentKib = (): number =>
  Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${supervisor.pid}/status`, 'utf8'))?.[1]);

const following = (name: string): Socket =>
  rawSocket(supervisor.socket, `GET /containers/${name}/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n`);

/** Keeps the end of what comes. */
function lastWords(socket: Socket): () => string {
  let end = '';
  socket.on('data', (chunk: Buffer) => {
    end = `${end}${chunk.toString('latin1')}`.slice(-200);
  });
  return () => end;
}

const script = `round() { while [ ! -e /$1 ]; do sleep 0.05; done; i=0; while [ $i -lt ${LINES} ]; do echo ${LINE}; i=$((i+1)); done; echo end of $1; }
for n in ${Array.from({ length: ROUNDS }, (_, index) => index).join(' ')}; do round $n; done; sleep 1000`;

test('each who reads gets its lines, who does not is not kept lines for, and nothing is left of any', async () => {
  const options = ['--network', 'none', '--name', 'talks'];
  const run = await docker(supervisor.socket, ['run', '-d', ...options, 'busybox', 'sh', '-c', script]);
  expect(run.status, run.stderr).toBe(0);
  const before = descriptors();
  const sockets = Array.from({ length: CLIENTS }, () => following('talks'));
  const [idle, readers] = [sockets.slice(0, IDLE), sockets.slice(IDLE)];
  const words = readers.map(lastWords);
  await until('all connections', () => readers.every(({ bytesRead }) => bytesRead > 0));
  let resident = 0;
  for (let round = 0; round < ROUNDS; round++) {
    expect((await docker(supervisor.socket, ['exec', 'talks', 'touch', `/${round}`])).status).toBe(0);
    await until(`round ${round} with all who read`, () => words.every((last) => last().includes(`end of ${round}`)));
    expect((await ask(supervisor.socket, 'GET', '/containers/json', {})).status).toBe(200);
    if (round === 0) resident = residentKib();
  }
  expect(residentKib() - resident).toBeLessThan(MOST_GROWTH_KIB);
  for (const { bytesRead } of idle) expect(bytesRead).toBeLessThan(LINES * LINE.length);
  expect(descriptors()).toBeGreaterThanOrEqual(before + CLIENTS);
  for (const socket of sockets) socket.destroy();
  await until('their end', () => descriptors() <= before);
  await ask(supervisor.socket, 'DELETE', '/containers/talks?force=1', {});
}, 180_000);
