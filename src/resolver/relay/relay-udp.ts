import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { RelayTarget } from '../protocol.ts';
import type { Flow } from './open-flows.ts';
import type { RelayOptions, RunningRelay } from './relay-tcp.ts';

/** A UDP client that was silent this long is forgotten (Docker's userland proxy: 90 s). */
const FLOW_MS = 90_000;

interface Client extends Flow {
  readonly socket: Socket;
  readonly target: RelayTarget;
  readonly timer: NodeJS.Timeout;
}

/**
 * Passes the datagrams of a bound socket on. Each client gets a socket of its own towards the container, so that answers
 * find their way back.
 */
export function relayUdp(
  fd: number,
  family: 4 | 6,
  { flows, target, onEnd }: Omit<RelayOptions, 'waits' | 'onFailed'>,
): RunningRelay {
  const group = flows.group();
  const clients = new Map<string, Client>();
  const server = createSocket(family === 6 ? 'udp6' : 'udp4');
  const open = (key: string, from: RemoteInfo): Client => {
    const to = target();
    const socket = createSocket(isIPv6(to.address) ? 'udp6' : 'udp4');
    const forget = (): void => flows.close(group, client);
    const client: Client = {
      descriptors: 1,
      socket,
      target: to,
      timer: setTimeout(forget, FLOW_MS).unref(),
      end: () => {
        clients.delete(key);
        clearTimeout(client.timer);
        socket.close();
      },
    };
    socket.on('message', (answer, { port, address: sender }) => {
      if (port === to.port && sender === to.address) server.send(answer, from.port, from.address);
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
  server.on('error', (error) => {
    if (!bound) onEnd(error);
  });
  server.bind({ fd });
  const close = (): void => {
    flows.closeGroup(group);
    server.close();
  };
  return {
    close,
    // Answers leave by the socket.
    leave: close,
    // A client that never stops would never find the other one.
    moved: () => {
      for (const client of [...group]) flows.close(group, client);
    },
  };
}
