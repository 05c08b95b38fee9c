import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { Forwarders } from '../../../src/drivers/network/bridge/forwarders/forwarders.ts';
import type { Listener } from '../../../src/drivers/network/bridge/publication.ts';
import { RelaySockets } from '../../../src/drivers/network/relay-sockets.ts';
import { descriptorBudget } from '../../../src/resolver/relay/open-flows.ts';
import { relayHere } from '../../support/relays.ts';
import { enterPrivateHost, OUTSIDE_ADDRESS, serve, shell, sourceSeen, stopServers } from './private-host.ts';

const BUDGET = 20;
const PORTS = [8080, 8081] as const;
const TARGET = 80;

let server: Server;
let forwarders: Forwarders;
const sockets: Socket[] = [];

beforeAll(() => {
  enterPrivateHost();
});

/** The server answers each byte and never ends a connection by itself. */
beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }, (client) => {
    sockets.push(client);
    client.on('error', () => undefined);
    client.pipe(client, { end: false });
  });
  server.listen(TARGET, '127.0.0.1');
  await once(server, 'listening');
});

/** @param options of what relays */
function relayed(options = {}): Forwarders {
  const relays = new RelaySockets();
  relayHere({ relays }, options);
  return new Forwarders(relays);
}

afterEach(async () => {
  forwarders.clear();
  stopServers();
  for (const socket of sockets.splice(0)) socket.destroy();
  server.close();
  await once(server, 'close');
});

const listener = (port: number, address = '127.0.0.1'): Listener => ({
  address: '127.0.0.1',
  port,
  protocol: 'tcp',
  target: { address, port: TARGET },
});

/** A client whose byte was answered, so that its whole way is open. */
async function client(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
  socket.on('error', () => undefined);
  sockets.push(socket);
  await talk(socket);
  return socket;
}

async function talk(socket: Socket): Promise<void> {
  const ended = new AbortController();
  const end = (): void => ended.abort();
  socket.once('close', end);
  socket.write('?');
  await once(socket, 'data', { signal: ended.signal });
  socket.off('close', end);
}

/** Connections that the kernel has for a listener, accepted by it and not closed. */
const accepted = (port: number): number =>
  Number(shell(`ss -Htn state established state close-wait sport = :${port} | wc -l`));

test('idle connections make room for active ones', async () => {
  forwarders = relayed({ budget: BUDGET });
  forwarders.set('web', [listener(PORTS[0])]);
  forwarders.set('other', [listener(PORTS[1])]);
  const other = await client(PORTS[1]);
  const busy = await client(PORTS[0]);
  for (let n = 0; n < 3 * BUDGET; n++) {
    await client(PORTS[0]);
    await talk(busy);
  }
  await talk(other);
  expect(accepted(PORTS[0])).toBe(BUDGET / 2 - 1);
});

test('a half-closed connection times out', async () => {
  forwarders = relayed({ waits: { connectMs: 60_000, halfClosedMs: 100 } });
  forwarders.set('web', [listener(PORTS[0])]);
  const half = await client(PORTS[0]);
  const whole = await client(PORTS[0]);
  half.end();
  await once(half, 'close');
  await talk(whole);
});

test('a connection to a container that does not answer times out', async () => {
  shell(`ip neigh replace ${OUTSIDE_ADDRESS} lladdr 02:00:00:00:00:09 dev uplink nud permanent`);
  forwarders = relayed({ waits: { connectMs: 100, halfClosedMs: 60_000 } });
  forwarders.set('web', [listener(PORTS[0], OUTSIDE_ADDRESS)]);
  const socket = connect({ host: '127.0.0.1', port: PORTS[0] });
  socket.on('error', () => undefined);
  socket.resume();
  await once(socket, 'close');
});

test('a hand-over to a port in use changes neither container', async () => {
  forwarders = relayed();
  serve(null, PORTS[1], '127.0.0.1');
  forwarders.set('old', [listener(PORTS[0])]);
  forwarders.set('new', [listener(8083)]);
  const open = await client(PORTS[0]);
  const wanted = [listener(PORTS[0], OUTSIDE_ADDRESS), listener(PORTS[1])];
  expect(() => forwarders.handOver(['old'], 'new', wanted)).toThrow(
    expect.objectContaining({ code: 'TSD_PORT_IN_USE' }),
  );
  expect(forwarders.listenersOf('old')).toEqual([listener(PORTS[0])]);
  expect(forwarders.listenersOf('new')).toEqual([listener(8083)]);
  await talk(open);
  await client(PORTS[0]);
  await client(8083);
  expect(await sourceSeen(null, '127.0.0.1', PORTS[1])).toBe('127.0.0.1');
});

test('a listener follows the container, and connections that are open stay with the one before', async () => {
  forwarders = relayed();
  const second = createServer((socket) => socket.end('second'));
  second.listen(TARGET, '127.0.0.2');
  await once(second, 'listening');
  try {
    forwarders.set('old', [listener(PORTS[0])]);
    const before = await client(PORTS[0]);
    forwarders.handOver(['old'], 'new', [listener(PORTS[0], '127.0.0.2')]);
    const after = connect({ host: '127.0.0.1', port: PORTS[0] });
    sockets.push(after);
    const [said] = await once(after, 'data');
    expect(String(said)).toBe('second');
    await talk(before);
    const ended = once(before, 'end');
    forwarders.set('new', []);
    await ended;
    await expect(once(connect({ host: '127.0.0.1', port: PORTS[0] }), 'connect')).rejects.toMatchObject({
      code: 'ECONNREFUSED',
    });
  } finally {
    second.close();
  }
});

test('uses at most half of the descriptors of the process, up to a useful limit', () => {
  expect(descriptorBudget('Max open files            1024                 524288               files')).toBe(512);
  expect(descriptorBudget('Max open files            1048576              1048576              files')).toBe(8192);
  expect(descriptorBudget('Max open files            unlimited            unlimited            files')).toBe(8192);
});
