/** The sockets at which containers ask for names: 127.0.0.11:53 of their namespace, whatever listens on port 53 there. */
import { createSocket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import type { Networks } from '../../../src/drivers/contract/network.ts';
import { bindSocket } from '../../../src/drivers/network/bound-socket.ts';
import { trySyscall } from '../../../src/ffi/call/native.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import {
  enterPrivateHost,
  idOf,
  newDriver,
  serve,
  serveUdp,
  shell,
  sourceSeen,
  stopServers,
  udpClient,
} from './private-host.ts';

const RESOLVER = '127.0.0.11';
let driver: Networks;
let netns: number;

beforeAll(() => {
  enterPrivateHost();
});

beforeEach(() => {
  driver = newDriver();
  netns = driver.createSandbox(idOf('asker')).netnsFd;
});

afterEach(() => {
  stopServers();
  driver.detach(idOf('asker'));
  driver.close();
});

/** Answers `names` on both sockets. */
function answer(): void {
  const { udp, tcp } = driver.openNameSockets(idOf('asker'));
  const server = createSocket('udp4').on('message', (_, client) => server.send('names', client.port, client.address));
  server.bind({ fd: udp });
  const listener = createServer((client) => client.end('names')).listen({ fd: tcp });
  onTestFinished(() => {
    server.close();
    listener.close();
  });
}

async function asked(address: string): Promise<string> {
  const client = udpClient(netns, address, 53);
  try {
    return await client.answer();
  } finally {
    client.close();
  }
}

test('questions by UDP and TCP are answered from port 53', async () => {
  answer();
  expect(await asked(RESOLVER)).toBe('names');
  expect(await sourceSeen(netns, RESOLVER, 53)).toBe('names');
});

test('a payload that listens on port 53 of all addresses has it, before and after', async () => {
  serve(netns, 53, '0.0.0.0', Buffer.from('payload'));
  answer();
  serveUdp(netns, 53, 'payload');
  expect(await asked(RESOLVER)).toBe('names');
  expect(await sourceSeen(netns, RESOLVER, 53)).toBe('names');
  expect(await asked('127.0.0.1')).toBe('payload');
  expect(await sourceSeen(netns, '127.0.0.1', 53)).toBe('payload');
});

test('they are opened once, and again after they were closed', () => {
  const { udp, tcp } = driver.openNameSockets(idOf('asker'));
  expect(() => driver.openNameSockets(idOf('asker'))).toThrow(expect.objectContaining({ errno: 98 }));
  for (const fd of [udp, tcp]) closeSync(fd);
  const again = driver.openNameSockets(idOf('asker'));
  for (const fd of [again.udp, again.tcp]) closeSync(fd);
});

test('a closed one is refused at once', () => {
  const { udp, tcp } = driver.openNameSockets(idOf('asker'));
  for (const fd of [udp, tcp]) closeSync(fd);
  const target = Buffer.alloc(64);
  target.writeUInt16LE(2, 0);
  target.writeUInt16BE(53, 2);
  Buffer.from([127, 0, 0, 11]).copy(target, 4);
  const answers = inNetns(netns, () =>
    [1, 2].map((type) => {
      const fd = trySyscall('socket', 2, type, 0);
      const connected = trySyscall('connect', fd, target, 16);
      const question = Buffer.alloc(64);
      const result =
        connected < 0
          ? connected
          : [
              trySyscall('sendto', fd, question, 12, 0, null, 0),
              trySyscall('recvfrom', fd, question, 64, 0, null, null),
            ][1];
      closeSync(fd);
      return result;
    }),
  );
  expect(answers).toEqual([-111, -111]);
});

test('the kernel tracks no connection for it', () => {
  const { udp, tcp } = driver.openNameSockets(idOf('asker'));
  expect(inNetns(netns, () => shell('nft list ruleset'))).toBe('');
  for (const fd of [udp, tcp]) closeSync(fd);
});

test('another program on the same port of that address is found out', () => {
  const fd = inNetns(netns, () => bindSocket({ address: '0.0.0.0', port: 60, protocol: 'udp' }));
  onTestFinished(() => closeSync(fd));
  expect(() => driver.openNameSockets(idOf('asker'))).toThrow('listen on 127.0.0.11:60/udp');
});
