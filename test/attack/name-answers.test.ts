/** A container that means the resolver harm, or the others that ask it. The program is that of the build (npm run build). */
import { createSocket } from 'node:dgram';
import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { encode, type Packet } from 'dns-packet';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { syscall, trySyscall } from '../../src/ffi/call/native.ts';
import { enterOwnHost, type TestSandbox, World } from '../support/resolver/fixture.ts';
import { addressOf, StubServer } from '../support/resolver/stub-server.ts';
import { until } from '../support/wait.ts';

enterOwnHost();

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;

let world: World;

beforeEach(async () => {
  world = await World.start();
  await world.network('n1', { web: '10.1.0.2' });
});
afterEach(() => world.remove());

/** Binds 127.0.0.11:53 as who allows others to bind it too. @returns 0, or the errno */
function bindBeside(sandbox: TestSandbox): number {
  const fd = sandbox.socket('udp');
  const one = Buffer.alloc(4);
  one.writeUInt32LE(1);
  // struct sockaddr_in of ip(7)
  const address = Buffer.from([2, 0, 0, 53, 127, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0]);
  try {
    syscall('set SO_REUSEADDR', 'setsockopt', fd, SOL_SOCKET, SO_REUSEADDR, one, one.length);
    return -trySyscall('bind', fd, address, address.length);
  } finally {
    closeSync(fd);
  }
}

test('no process of a container takes the questions of the others by SO_REUSEADDR', async () => {
  const sandbox = await world.sandbox('asker');
  expect(await sandbox.short('web')).toEqual(['10.1.0.2']);
  expect(bindBeside(sandbox)).toBe(constants.errno.EADDRINUSE);
  expect(await sandbox.short('web')).toEqual(['10.1.0.2']);
});

const socketsOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/fd`)
    .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
    .filter((name) => name.startsWith('socket:'));

test('a listening socket that is ended inside the container is closed, and wakes the resolver no more', async () => {
  const other = await world.sandbox('other');
  const before = socketsOf(world.resolver.pid).length;
  const sandbox = await world.sandbox('asker');
  expect(await sandbox.short('+tcp', 'web')).toEqual(['10.1.0.2']);
  // That of the connection which has asked is closed a moment later.
  await until('both sockets', () => socketsOf(world.resolver.pid).length === before + 2);
  await sandbox.run('ss', '-K', '-l', '-t', '-n', 'sport', '=', ':53');
  expect(await sandbox.run('ss', '-H', '-l', '-t', '-n')).toBe('');
  await until('the socket is closed', () => socketsOf(world.resolver.pid).length === before + 1);
  expect(world.resolver.log).toContain('it was ended inside the container');
  await sandbox.run('ss', '-K', '-a', '-u', '-n', 'sport', '=', ':53');
  expect(await sandbox.short('web')).toEqual(['10.1.0.2']);
  expect(await other.short('+tcp', 'web')).toEqual(['10.1.0.2']);
});

/** Sends questions that no server answers, until some are refused: then the container has all places it may have. */
async function flood(sandbox: TestSandbox): Promise<void> {
  const socket = createSocket('udp4');
  let refused = 0;
  socket.on('message', () => refused++);
  socket.bind({ fd: sandbox.socket() });
  for (let sent = 0; refused < 20; ) {
    for (let index = 0; index < 50; index++, sent++) {
      const questions = [{ type: 'A', name: `q${sent}.${sandbox.id}.test` }];
      const packet = { type: 'query', id: sent & 0xffff, flags: 0x100, questions } as Packet;
      socket.send(encode(packet), 53, '127.0.0.11');
    }
    await new Promise(setImmediate);
  }
  socket.close();
}

test('containers that ask as much as they may leave room for another', async () => {
  const isCalm = (name: string | undefined) => name === 'calm.test';
  const server = new StubServer('127.0.1.1', (asked) =>
    isCalm(asked.packet.questions?.[0]?.name) ? [addressOf(asked, '192.0.2.1')] : [],
  );
  const servers = Array.from({ length: 3 }, () => ({ address: '127.0.1.1', port: 53 }));
  await world.client.ask({ kind: 'set-host-servers', digest: 'x', servers });
  const hostile: TestSandbox[] = [];
  for (let index = 0; index < 9; index++) {
    hostile.push(await world.sandbox(`hostile-${index}`, { forwarding: { from: 'host' } }));
  }
  const calm = await world.sandbox('calm', { forwarding: { from: 'host' } });
  await Promise.all(hostile.map(flood));
  const { waiting } = await world.client.ask({ kind: 'stats' });
  expect(waiting).toBeGreaterThan(4096);
  expect(await calm.short('calm.test')).toEqual(['192.0.2.1']);
  server.close();
});
