import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SupervisorClient } from '../../../src/api/client.ts';
import { type Served, serve } from '../../support/api/served.ts';
import { until } from '../../support/wait.ts';

let served: Served;
beforeEach(async () => {
  served = await serve({ receiveTimeoutMs: 300 });
});
afterEach(async () => {
  expect(await served.client.version(), 'the server lives').toBeTruthy();
  expect(served.bugs, 'no request met a defect').toEqual([]);
  await served.end();
});

/** Sends bytes and resolves with everything that came back until the server closed. */
function raw(bytes: string | Buffer, options: { readonly keepOpen?: boolean } = {}): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(served.socketPath);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    if (options.keepOpen) socket.write(bytes);
    else socket.end(bytes);
  });
}

function request(
  method: string,
  path: string,
  body = '',
  headers: Readonly<Record<string, string | number>> = {},
): string {
  const all = { host: 'x', connection: 'close', 'content-length': Buffer.byteLength(body), ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

const status = (answer: string) => Number(answer.split(' ')[1]);
const errorOf = (answer: string) =>
  JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as { code: string; message: string; hint: string };

describe('wrong requests get a 4xx with a reason', () => {
  test.each([
    ['unknown route', request('GET', '/tsdocker/v1/nothing'), 404, 'GET /tsdocker/v1/nothing is no route of this API'],
    ['wrong method', request('DELETE', '/tsdocker/v1/info'), 404, 'DELETE /tsdocker/v1/info is no route of this API'],
    ['bad escape in the path', request('GET', '/tsdocker/v1/resources/container/%zz'), 404, undefined],
    ['no JSON', request('POST', '/tsdocker/v1/plan', '{'), 400, 'the body is not JSON'],
    [
      'no object',
      request('POST', '/tsdocker/v1/plan', '[]'),
      400,
      'body: Invalid input: expected object, received array',
    ],
    [
      'wrong types',
      request('POST', '/tsdocker/v1/plan', '{"manifests":[{"file":1,"baseDir":"rel","text":null}]}'),
      400,
      'body.manifests.0.file: Invalid input: expected string, received number; ' +
        'body.manifests.0.baseDir: must be empty or an absolute path; ' +
        'body.manifests.0.text: Invalid input: expected string, received null',
    ],
    ['unknown member', request('POST', '/tsdocker/v1/approve', '{"names":[],"__proto__":{"a":1}}'), 400, undefined],
    ['unknown kind', request('GET', '/tsdocker/v1/resources/pod/x'), 400, undefined],
    [
      'bad query',
      request('GET', '/tsdocker/v1/containers/web/logs?tail=-1'),
      400,
      'query.tail: must be a whole number',
    ],
    [
      'body too large by its header',
      request('POST', '/tsdocker/v1/plan', '', { 'content-length': 20_000_000 }),
      413,
      'the body is larger than 16777216 bytes',
    ],
    [
      'exec without upgrade',
      request('POST', '/tsdocker/v1/containers/web/exec', '{}'),
      426,
      'this route needs `Upgrade: tsdocker-stream`',
    ],
    [
      'upgrade of another route',
      request('GET', '/tsdocker/v1/info', '', { connection: 'Upgrade', upgrade: 'tsdocker-stream' }),
      400,
      'this route has no upgrade',
    ],
    [
      'upgrade to something else',
      request('POST', '/tsdocker/v1/containers/web/exec', '', { connection: 'Upgrade', upgrade: 'websocket' }),
      400,
      'cannot upgrade to websocket',
    ],
  ])('%s', async (_name, bytes, expectedStatus, message) => {
    const answer = await raw(bytes, { keepOpen: true });
    expect(status(answer)).toBe(expectedStatus);
    const error = errorOf(answer);
    expect(error.code).toBe('TSD_BAD_REQUEST');
    expect(error.hint).not.toContain('--help');
    if (message !== undefined) expect(error.message).toBe(message);
  });

  test('bytes that are not HTTP', async () => {
    expect(status(await raw('\u0000\u0001\u0002 hello\r\n\r\n'))).toBe(400);
  });

  test('endless headers', async () => {
    expect(status(await raw(`GET / HTTP/1.1\r\nx: ${'y'.repeat(100_000)}`, { keepOpen: true }))).toBe(431);
  });

  test('a chunked body over the limit', async () => {
    const chunk = `100000\r\n${'x'.repeat(0x100000)}\r\n`;
    const head = 'POST /tsdocker/v1/plan HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n';
    expect(status(await raw(head + chunk.repeat(17), { keepOpen: true }))).toBe(413);
  });

  test('an endless body is cut off', async () => {
    const head = 'POST /tsdocker/v1/plan HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"a';
    expect(status(await raw(head, { keepOpen: true }))).toBe(408);
  });

  test('an endless body that is not read is cut off after the answer', async () => {
    const head = 'GET /tsdocker/v1/info HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"a';
    expect(status(await raw(head, { keepOpen: true }))).toBe(200);
  });

  test('a body that ends early', async () => {
    await raw('POST /tsdocker/v1/plan HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"a');
  });

  test('JSON as deep as the body allows', async () => {
    expect(status(await raw(request('POST', '/tsdocker/v1/plan', '['.repeat(2_000_000)), { keepOpen: true }))).toBe(
      400,
    );
  });
});

test('a refused upgrade with late bytes leaves no descriptor open and delays no stop', async () => {
  const head = request('POST', '/tsdocker/v1/nothing', '', { connection: 'Upgrade', upgrade: 'tsdocker-stream' });
  const descriptors = (): number => readdirSync('/proc/self/fd').length;
  const before = descriptors();
  const clients = Array.from({ length: 90 }, () => {
    const client = connect({ path: served.socketPath, allowHalfOpen: true });
    client.on('error', () => undefined);
    client.write(head);
    return client;
  });
  await Promise.all(clients.map((client) => once(client, 'data')));
  for (const client of clients) client.write('late');
  // The clients have one descriptor each, and the server none.
  await until('the server has let go', () => descriptors() <= before + clients.length);
  for (const client of clients) client.destroy();
  await until('all are gone', () => descriptors() <= before);
});

test.each([
  ['a name', request('POST', '/tsdocker/v1/containers/a%00b/stop', '{"timeoutMs":null}')],
  [
    'a path to save to',
    request('POST', '/tsdocker/v1/images/save', '{"images":["a"],"path":"/a\\u0000b","format":"oci"}'),
  ],
  ['a manifest', request('POST', '/tsdocker/v1/plan', '{"manifests":[{"file":"/a\\u0000b","baseDir":"/","text":""}]}')],
])('a zero byte in %s is a client error', async (_, bytes) => {
  const answer = await raw(bytes);
  expect(status(answer)).toBe(400);
  expect(errorOf(answer).code).toBe('TSD_BAD_REQUEST');
});

describe('upgraded connections that misbehave are closed', () => {
  const head = request('POST', '/tsdocker/v1/containers/web/exec', '', { connection: 'Upgrade', upgrade: 'tcp' });
  const frame = (type: number, payload: string) => {
    const header = Buffer.alloc(8);
    header[0] = type;
    header.writeUInt32BE(payload.length, 4);
    return Buffer.concat([header, Buffer.from(payload)]);
  };
  const send = (...frames: readonly Buffer[]) => raw(Buffer.concat([Buffer.from(head), ...frames]), { keepOpen: true });

  test.each([
    ['no frame in time', Buffer.alloc(0), ''],
    ['half a header', Buffer.from([16, 0, 0]), ''],
    ['a length beyond the limit', Buffer.from([16, 0, 0, 0, 255, 255, 255, 255]), ''],
    ['no `open` first', frame(0, 'hello'), 'the first frame must be `open`'],
    ['`open` without JSON', frame(16, 'hello'), 'the `open` frame is not JSON'],
    ['`open` with wrong members', frame(16, '{"argv":[]}'), 'open.argv'],
    [
      'zero bytes in an argument',
      frame(16, JSON.stringify({ argv: ['a\0b'], env: [], cwd: null, user: '', tty: false, stdin: false })),
      'must not contain a zero byte',
    ],
  ])('%s', async (_name, bytes, reason) => {
    const answer = await send(bytes);
    expect(status(answer)).toBe(101);
    expect(answer).toContain(reason);
    expect(served.supervisor.sessions).toEqual([]);
  });

  test('a frame of an unknown type ends the session', async () => {
    const open = JSON.stringify({ argv: ['hold'], env: [], cwd: null, user: '', tty: true, stdin: false });
    await send(frame(16, open), frame(99, 'x'));
    const [session] = served.supervisor.sessions;
    expect(session).toMatchObject({ closed: true, signals: [1] });
  });
});

describe('versions', () => {
  const versions = (level: string) =>
    request('GET', '/tsdocker/v1/info', '', { 'tsdocker-api': level, 'tsdocker-version': '9.0.0' });

  test('a newer client is asked to upgrade the supervisor, an older one to upgrade itself', async () => {
    const newer = errorOf(await raw(versions('2')));
    expect(newer).toMatchObject({ code: 'TSD_VERSION_MISMATCH', hint: 'Upgrade the supervisor.' });
    expect(newer.message).toContain('the client (9.0.0) speaks API level 2');
    expect(errorOf(await raw(versions('0')))).toMatchObject({
      code: 'TSD_VERSION_MISMATCH',
      hint: 'Upgrade the client.',
    });
    expect(status(await raw(versions('x')))).toBe(400);
  });

  test('a client without a version is served, and every answer names the server', async () => {
    const answer = await raw(request('GET', '/tsdocker/v1/info'));
    expect(status(answer)).toBe(200);
    expect(answer).toMatch(/tsdocker-version: \d+\.\d+\.\d+\r\ntsdocker-api: 1\r\n/i);
  });

  test.each([
    [
      'something else on the socket',
      {},
      { code: 'TSD_NO_SUPERVISOR', message: expect.stringContaining('not a tsdocker supervisor') },
    ],
    [
      'a supervisor too old',
      { 'tsdocker-api': '0', 'tsdocker-version': '0.0.1' },
      { code: 'TSD_VERSION_MISMATCH', hint: 'Upgrade the supervisor.' },
    ],
  ])('the client recognises %s', async (_name, headers, expected) => {
    const path = join(served.directory, 'other.sock');
    const other = createHttpServer((_request, response) => response.writeHead(200, headers).end('{}'));
    await new Promise<void>((resolve) => other.listen(path, resolve));
    try {
      await expect(new SupervisorClient(`unix://${path}`).info()).rejects.toMatchObject(expected);
    } finally {
      await new Promise((resolve) => other.close(resolve));
    }
  });
});
