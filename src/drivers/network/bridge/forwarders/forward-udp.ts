import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIpv6, type Listener } from '../publication.ts';
import type { ForwardOptions, Route } from './forward-tcp.ts';
import type { Flow } from './open-flows.ts';

/** A UDP client that was silent this long is forgotten (Docker's userland proxy: 90 s). */
const FLOW_MS = 90_000;

interface Client extends Flow {
  readonly socket: Socket;
  readonly target: Listener['target'];
  readonly timer: NodeJS.Timeout;
}

/**
 * Passes the datagrams of a bound socket on. Each client gets a socket of its own towards the container, so that answers
 * find their way back. Returns what ends it.
 */
export function forwardUdp(
  fd: number,
  { address }: Listener,
  route: Route,
  { flows, onEnd }: Omit<ForwardOptions, 'waits'>,
): () => void {
  const group = flows.group();
  const clients = new Map<string, Client>();
  const server = createSocket(isIpv6(address) ? 'udp6' : 'udp4');
  const open = (key: string, from: RemoteInfo): Client => {
    const socket = createSocket('udp4');
    const { target } = route;
    const forget = (): void => flows.close(group, client);
    const client: Client = {
      descriptors: 1,
      socket,
      target,
      timer: setTimeout(forget, FLOW_MS).unref(),
      end: () => {
        clients.delete(key);
        clearTimeout(client.timer);
        socket.close();
      },
    };
    socket.on('message', (answer, { port, address: sender }) => {
      if (port === target.port && sender === target.address) server.send(answer, from.port, from.address);
    });
    socket.on('error', forget);
    clients.set(key, client);
    flows.open(group, client);
    return client;
  };
  server.on('message', (datagram, from) => {
    const key = `${from.address} ${from.port}`;
    const client = clients.get(key) ?? open(key, from);
    flows.touch(group, client);
    client.timer.refresh();
    client.socket.send(datagram, client.target.port, client.target.address, () => undefined);
  });
  let bound = false;
  server.on('listening', () => {
    bound = true;
  });
  server.on('error', () => {
    if (!bound) onEnd();
  });
  server.bind({ fd });
  return () => {
    flows.closeGroup(group);
    server.close();
  };
}
