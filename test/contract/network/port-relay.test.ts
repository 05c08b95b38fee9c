import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { relay } from '../../../src/supervisor/network/port-relay.ts';
import { freePort } from '../../support/servers.ts';

const LOCAL = '127.0.0.1';

test('a connection goes through in both directions, half-closed too, and ends with the relay', async () => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let heard = 0;
    socket.on('data', (chunk) => {
      heard += chunk.length;
    });
    socket.on('end', () => socket.end(`heard ${heard}`));
  }).listen(0, LOCAL);
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const hostPort = await freePort();
  const { port } = server.address() as AddressInfo;
  const end = await relay({ protocol: 'tcp', hostIp: LOCAL, hostPort, address: LOCAL, port });
  const client = connect({ port: hostPort, host: LOCAL, allowHalfOpen: true });
  client.end(Buffer.alloc(3_000_000));
  expect(await text(client)).toBe('heard 3000000');
  const idle = connect(hostPort, LOCAL);
  await once(idle, 'connect');
  const closed = once(idle, 'close');
  end();
  await closed;
  await expect(once(connect(hostPort, LOCAL), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('packets of two clients are answered to each of them', async () => {
  const server = createSocket('udp4');
  onTestFinished(() => void server.close());
  server.on('message', (message, from) => server.send(`re: ${message}`, from.port, from.address));
  server.bind(0, LOCAL);
  await once(server, 'listening');
  const hostPort = await freePort();
  const end = await relay({ protocol: 'udp', hostIp: LOCAL, hostPort, address: LOCAL, port: server.address().port });
  onTestFinished(end);
  const ask = async (word: string): Promise<string> => {
    const client = createSocket('udp4');
    onTestFinished(() => void client.close());
    client.send(word, hostPort, LOCAL);
    const [answer] = await once(client, 'message');
    return String(answer);
  };
  expect(await Promise.all([ask('one'), ask('two')])).toEqual(['re: one', 're: two']);
});

test.each(['tcp', 'udp'] as const)('a %s port that is taken is an error with Docker’s words', async (protocol) => {
  const hostPort = await freePort();
  const port = { protocol, hostIp: LOCAL, hostPort, address: LOCAL, port: 9 };
  onTestFinished(await relay(port));
  await expect(relay(port)).rejects.toMatchObject({
    code: 'TSD_PORT_IN_USE',
    message: `Bind for ${LOCAL}:${hostPort} failed: port is already allocated`,
  });
});
