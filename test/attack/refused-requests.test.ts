/** Requests to the socket of a real supervisor that are wrong on purpose. */
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
let socketPath: string;
beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
  socketPath = join(supervisor.runDir, 'tsdocker.sock');
});
afterEach(() => supervisor.destroy());

/** Clients that are refused an upgrade, send more after the answer and stay. */
async function refusedClients(count: number): Promise<Socket[]> {
  const head =
    'POST /tsdocker/v1/nothing HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: tsdocker-stream\r\ncontent-length: 0\r\n\r\n';
  const clients = Array.from({ length: count }, () => {
    const client = connect({ path: socketPath, allowHalfOpen: true });
    client.on('error', () => undefined);
    client.write(head);
    return client;
  });
  await Promise.all(clients.map((client) => once(client, 'data')));
  for (const client of clients) client.write('late');
  return clients;
}

test('refused upgrades with late bytes leave no descriptor open', async () => {
  const descriptors = (): number => readdirSync(`/proc/${supervisor.pid}/fd`).length;
  const before = descriptors();
  const clients = await refusedClients(100);
  // It opens a few of its own meanwhile.
  await until('the supervisor has let go of them', () => descriptors() < before + clients.length / 10);
  for (const client of clients) client.destroy();
});

test('SIGTERM ends a supervisor whose refused clients stay connected', async () => {
  const clients = await refusedClients(100);
  await supervisor.stop();
  for (const client of clients) client.destroy();
});

function ask(path: string, body: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path: `/tsdocker/v1${path}`, method: 'POST' }, (response) => {
      let text = `${response.statusCode} `;
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    });
    sent.on('error', reject);
    sent.end(JSON.stringify(body));
  });
}

const BUILD = {
  dockerfile: 'Dockerfile',
  dockerfileText: null,
  contexts: {},
  tags: [],
  args: {},
  labels: {},
  target: null,
  platform: null,
  network: 'default',
  noCache: false,
  secrets: {},
};

test.each([
  ['load', '/images/load', (path: string) => ({ path })],
  ['import', '/images/import', (path: string) => ({ path, name: 'a:1', changes: [], message: '' })],
  ['build', '/build', (path: string) => ({ ...BUILD, context: { type: 'directory', path } })],
  ['a build from a Dockerfile', '/build', (path: string) => ({ ...BUILD, context: null, dockerfile: path })],
  ['plan', '/plan', (path: string) => ({ manifests: [{ file: `${path}/a.yaml`, baseDir: path, text: '' }] })],
])('a missing path or one with NUL is a client error: %s', async (_, path, body) => {
  for (const missing of ['/no/such/path', '/no/such\0path']) {
    const answer = await ask(path, body(missing));
    expect(answer).not.toContain('TSD_BUG');
    expect(answer).not.toMatch(/^5/);
    expect(answer).toMatch(path === '/plan' ? /^(200|400) / : /"code":"TSD_/);
  }
  await supervisor.ok('info');
});
