/** Takes connections and packets at an address of the host and passes them on: for what is on a bridge and is no container. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { TsdError } from '../../model/errors/errors.ts';

export interface RelayedPort {
  readonly protocol: 'tcp' | 'udp';
  readonly hostIp: string;
  readonly hostPort: number;
  readonly address: string;
  readonly port: number;
}

/** A client of UDP that is silent for so long is forgotten (docker 1.4, pkg/proxy). */
const UDP_IDLE_MS = 90_000;
/** Clients of one UDP port; of more the oldest are forgotten. */
const MOST_UDP_CLIENTS = 1_024;

/** Resolves with what ends it. @throws TSD_PORT_IN_USE */
export async function relay(port: RelayedPort): Promise<() => void> {
  return await (port.protocol === 'tcp' ? relayTcp(port) : relayUdp(port));
}

async function relayTcp({ hostIp, hostPort, address, port }: RelayedPort): Promise<() => void> {
  const open = new Set<{ destroy(): void }>();
  const server: Server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ host: address, port, allowHalfOpen: true });
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.once('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  server.listen({ host: hostIp, port: hostPort, exclusive: true });
  await listening(server, hostIp, hostPort);
  return () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
}

async function relayUdp({ hostIp, hostPort, address, port }: RelayedPort): Promise<() => void> {
  const server = createSocket(hostIp.includes(':') ? 'udp6' : 'udp4');
  const clients = new Map<string, { readonly socket: Socket; readonly idle: NodeJS.Timeout }>();
  const forget = (key: string): void => {
    const client = clients.get(key);
    if (client === undefined) return;
    clients.delete(key);
    clearTimeout(client.idle);
    client.socket.close();
  };
  server.on('message', (message, from) => {
    const key = `${from.address} ${from.port}`;
    let client = clients.get(key);
    if (client === undefined) {
      const [oldest] = clients.keys();
      if (clients.size >= MOST_UDP_CLIENTS && oldest !== undefined) forget(oldest);
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      socket.on('message', (answer) => server.send(answer, from.port, from.address));
      // An unreachable target says so; the next packet may reach it.
      socket.on('error', () => {});
      client = { socket, idle: setTimeout(() => forget(key), UDP_IDLE_MS).unref() };
      clients.set(key, client);
    }
    client.idle.refresh();
    client.socket.send(message, port, address);
  });
  server.bind({ address: hostIp, port: hostPort, exclusive: true });
  await listening(server, hostIp, hostPort);
  server.on('error', () => {});
  return () => {
    for (const key of [...clients.keys()]) forget(key);
    server.close();
  };
}

async function listening(server: Server | Socket, hostIp: string, hostPort: number): Promise<void> {
  try {
    await once(server, 'listening');
  } catch (thrown) {
    server.close();
    const { code, message } = thrown as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') throw inUse(hostIp, hostPort);
    throw new TsdError('TSD_PORT_IN_USE', `Bind for ${hostIp}:${hostPort} failed: ${message}`, { cause: thrown });
  }
}

export const inUse = (hostIp: string, hostPort: number): TsdError =>
  new TsdError('TSD_PORT_IN_USE', `Bind for ${hostIp}:${hostPort} failed: port is already allocated`);
