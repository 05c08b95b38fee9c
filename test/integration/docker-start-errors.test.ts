/** Starts that fail, as clients of the Docker API see them: answers, states, and who is attached meanwhile. */
import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { ask } from '../support/docker-client.ts';
import { Received, rawSocket, upgrade } from '../support/docker-raw.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
}, 60_000);
afterAll(() => supervisor.destroy(), 60_000);

async function asked(method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> {
  const { status, body: bytes } = await ask(supervisor.socket, method, path, { body });
  return { status, text: bytes.toString() };
}

async function create(name: string, changes: object = {}): Promise<string> {
  const body = { Image: 'busybox', Cmd: ['sleep', '1000'], ...changes };
  const { status, text } = await asked('POST', `/containers/create?name=${name}`, body);
  expect(status, text).toBe(201);
  return (JSON.parse(text) as { Id: string }).Id;
}

async function start(name: string): Promise<{ status: number; message: string }> {
  const { status, text } = await asked('POST', `/containers/${name}/start`);
  return { status, message: text === '' ? '' : (JSON.parse(text) as { message: string }).message };
}

async function stateOf(name: string): Promise<unknown> {
  const { text } = await asked('GET', `/containers/${name}/json`);
  const { Status, ExitCode, Error: error } = (JSON.parse(text) as { State: Record<string, unknown> }).State;
  return { Status, ExitCode, Error: error };
}

const publishing = (port: number): object => ({
  ExposedPorts: { '80/tcp': {} },
  HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: String(port) }] } },
});

async function listening(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  return { server, port: (server.address() as { port: number }).port };
}

test('a port that another container has', async () => {
  const { server, port } = await listening();
  await new Promise((resolve) => server.close(resolve));
  await create('holder', publishing(port));
  expect(await start('holder')).toMatchObject({ status: 204 });
  await create('late', publishing(port));
  const failed = await start('late');
  const words = `Bind for 0.0.0.0:${port} failed: port is already allocated`;
  expect(failed).toMatchObject({ status: 500, message: expect.stringContaining(words) });
  const endpoint = /^driver failed programming external connectivity on endpoint late \([0-9a-f]{64}\): (.*)$/;
  expect(endpoint.exec(failed.message)?.[1]).toBe(words);
  expect(await stateOf('late')).toEqual({ Status: 'created', ExitCode: 128, Error: failed.message });
  await asked('DELETE', '/containers/holder?force=1');
  expect(await start('late')).toMatchObject({ status: 204 });
  expect(await stateOf('late')).toEqual({ Status: 'running', ExitCode: 0, Error: '' });
  await asked('DELETE', '/containers/late?force=1');
});

test('a port that another program has', async () => {
  const { server, port } = await listening();
  await create('late', publishing(port));
  const failed = await start('late');
  expect(failed).toMatchObject({ status: 500, message: expect.stringContaining('bind: address already in use') });
  server.close();
  await asked('DELETE', '/containers/late?force=1');
});

test.each([
  ['missing', { Cmd: ['/nope'] }, 400, 127, 'exec: "/nope": stat /nope: no such file or directory'],
  ['unknown', { Cmd: ['nope'] }, 400, 127, 'exec: "nope": executable file not found in $PATH'],
  ['directory', { Cmd: ['/etc'] }, 400, 126, 'permission denied'],
  ['user', { User: 'nobody-here' }, 500, 128, 'unable to find user nobody-here: no matching entries in passwd file'],
])('what cannot be run: %s', async (name, changes, status, exitCode, words) => {
  await create(name, { ...changes, HostConfig: { NetworkMode: 'none' } });
  const failed = await start(name);
  expect(failed).toMatchObject({ status, message: expect.stringContaining(words) });
  const error = expect.stringContaining(words);
  expect(await stateOf(name)).toEqual({ Status: 'created', ExitCode: exitCode, Error: error });
  await asked('DELETE', `/containers/${name}?force=1`);
});

async function attachedTo(id: string): Promise<Received> {
  const received = new Received(
    rawSocket(supervisor.socket, upgrade('POST', `/containers/${id}/attach?stream=1&stdout=1&stderr=1`)),
  );
  await until('the answer', () => received.hasHead);
  return received;
}

test.each([true, false])('who is attached when the start fails is let go, removed: %s', async (AutoRemove) => {
  const id = await create('fails', { Cmd: ['nope'], HostConfig: { NetworkMode: 'none', AutoRemove } });
  const received = await attachedTo(id);
  expect(await start('fails')).toMatchObject({ status: 400 });
  expect((await received.ended).toString()).toMatch(/^HTTP\/1.1 101 [\s\S]*\r\n\r\n$/);
  await asked('DELETE', '/containers/fails?force=1');
});

test('who is attached to a container that is removed before it runs is let go', async () => {
  const id = await create('unused', { HostConfig: { NetworkMode: 'none' } });
  const received = await attachedTo(id);
  expect(await asked('DELETE', `/containers/${id}`)).toMatchObject({ status: 204 });
  await received.ended;
});
