/** Streams of containers over a WebSocket, with a client that others wrote (python3-websocket) and with bytes of our own. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { ask, docker } from '../support/docker-client.ts';
import { rawSocket, whole } from '../support/docker-raw.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
}, 60_000);
afterAll(() => supervisor.destroy(), 60_000);

/** Sends what it is given, then prints the kind and content of each message until the end, and how that came. */
const CLIENT = `
import socket, sys, websocket
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
client = websocket.create_connection('ws://localhost' + sys.argv[2], socket=connection)
client.ping('there?')
print('open', flush=True)
for line in sys.stdin:
    client.send_binary(line.encode())
while True:
    opcode, data = client.recv_data(control_frame=True)
    print(opcode, data, flush=True)
    if opcode == websocket.ABNF.OPCODE_CLOSE: break
`;

function client(path: string) {
  const child = spawn('/usr/bin/python3', ['-c', CLIENT, supervisor.socket.replace('unix://', ''), path]);
  let text = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const exited = new Promise<string>((resolve) => child.once('close', () => resolve(text + errors)));
  return { child, exited, open: () => until('the connection', () => text.startsWith('open\n') || errors !== '') };
}

async function create(name: string, ...args: readonly string[]): Promise<void> {
  const { status, stderr } = await docker(supervisor.socket, ['create', '--network', 'none', '--name', name, ...args]);
  expect(status, stderr).toBe(0);
}

const start = (name: string) => ask(supervisor.socket, 'POST', `/containers/${name}/start`, {});
const remove = (name: string) => ask(supervisor.socket, 'DELETE', `/containers/${name}?force=1`, {});

test('input and both outputs of a run, in binary messages, and its end', async () => {
  await create('talks', '-i', 'busybox', 'sh', '-c', 'read x; echo got $x; echo err >&2; exit 3');
  const { child, exited, open } = client('/v1.45/containers/talks/attach/ws?stream=1&stdin=1&stdout=1&stderr=1');
  await open();
  expect((await start('talks')).status).toBe(204);
  child.stdin.end('some input\n');
  const text = await exited;
  expect(text).toMatch(/^10 b'there\?'$/m);
  expect(text).toContain('got some input');
  expect(text).toContain('err');
  expect(
    text
      .split('\n')
      .filter((line) => line !== '')
      .at(-1),
  ).toBe(String.raw`8 b'\x03\xe8'`);
  expect(text).toMatch(/^2 b'/m);
  await remove('talks');
});

test('what was written before, for an old client as text', async () => {
  await create('wrote', 'busybox', 'sh', '-c', 'echo earlier; sleep 1000');
  await start('wrote');
  await until('its words', async () => (await docker(supervisor.socket, ['logs', 'wrote'])).stdout === 'earlier\n');
  const { child, exited } = client('/v1.27/containers/wrote/attach/ws?logs=1');
  child.stdin.end();
  expect(await exited).toMatch(/^1 b'earlier\\n'$/m);
  await remove('wrote');
});

test('keys that leave a terminal', async () => {
  await create('screen', '-it', 'busybox', 'cat');
  await start('screen');
  const { child, exited } = client('/v1.45/containers/screen/attach/ws?stream=1&stdin=1&stdout=1&detachKeys=ctrl-x');
  child.stdin.end('\x18');
  expect(await exited).toContain('8 b');
  const { stdout } = await docker(supervisor.socket, ['inspect', '-f', '{{.State.Running}}', 'screen']);
  expect(stdout.trim()).toBe('true');
  await remove('screen');
});

const request = (path: string, headers: string): string => `GET ${path} HTTP/1.1\r\nHost: d\r\n${headers}\r\n\r\n`;
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
const UPGRADE = `Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n${KEY}`;

test.each([
  ['no upgrade', 'Connection: close', 400],
  ['another upgrade', 'Connection: Upgrade\r\nUpgrade: tcp', 400],
  ['no key', 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13', 400],
  ['another version', UPGRADE.replace('13', '8'), 400],
])('a request with %s is refused', async (_title, headers, status) => {
  await create('still', 'busybox', 'true');
  const answer = await whole(rawSocket(supervisor.socket, request('/containers/still/attach/ws?stream=1', headers)));
  expect(answer.toString()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  await remove('still');
});

test('a container that is not there', async () => {
  const answer = await whole(rawSocket(supervisor.socket, request('/containers/nope/attach/ws', UPGRADE)));
  expect(answer.toString()).toMatch(/^HTTP\/1.1 404 [\s\S]*No such container: nope/);
});

test('bytes that are no frame end the connection and nothing else', async () => {
  await create('goes-on', 'busybox', 'sleep', '1000');
  await start('goes-on');
  const socket = rawSocket(
    supervisor.socket,
    request('/containers/goes-on/attach/ws?stream=1&stdin=1&stdout=1', UPGRADE),
  );
  socket.write(Buffer.alloc(100, 0xff));
  const answer = (await whole(socket)).toString('latin1');
  expect(answer.slice(0, 13)).toBe('HTTP/1.1 101 ');
  expect(answer.slice(-8)).toBe('\r\n\r\n\x88\x02\x03\xea');
  const { stdout } = await docker(supervisor.socket, ['inspect', '-f', '{{.State.Running}}', 'goes-on']);
  expect(stdout.trim()).toBe('true');
  await remove('goes-on');
});
