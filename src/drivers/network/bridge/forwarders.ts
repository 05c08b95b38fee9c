import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';
import { constants } from 'node:os';
import { sysError } from '../../../ffi/errno.ts';
import { TsdError } from '../../../model/errors.ts';
import { bindSocket } from './host-sockets.ts';
import { portHolder } from './port-holder.ts';
import { type Listener, listenerKey } from './publication.ts';

/** A UDP client that was silent this long is forgotten (Docker's userland proxy: 90 s). */
const UDP_FLOW_MS = 90_000;
/** Clients remembered for each UDP port; the one longest silent makes room. */
const UDP_FLOWS = 1024;

/** Where new connections and clients are passed on to; it may change while the listener is open. */
interface Route {
  target: Listener['target'];
}

interface Running {
  readonly listener: Listener;
  readonly route: Route;
  close(): void;
}

/** Listeners of this process that pass connections and datagrams on to containers. */
export class Forwarders {
  readonly #running = new Map<string, Map<string, Running>>();

  /**
   * Makes the listeners of an owner be these and no others. Listeners that stay keep their connections.
   * @throws TsdError TSD_PORT_IN_USE; the owner's listeners are then as before.
   */
  set(owner: string, listeners: readonly Listener[]): void {
    const before = this.#running.get(owner) ?? new Map<string, Running>();
    const wanted = new Map(listeners.map((listener) => [listenerKey(listener), listener]));
    const after = new Map<string, Running>();
    const started: Running[] = [];
    const ended: Listener[] = [];
    try {
      for (const [key, running] of before) {
        if (sameTarget(running.listener, wanted.get(key))) after.set(key, running);
        else {
          running.close();
          ended.push(running.listener);
        }
      }
      for (const [key, listener] of wanted) {
        if (after.has(key)) continue;
        const running = start(listener);
        started.push(running);
        after.set(key, running);
      }
    } catch (error) {
      for (const running of started) running.close();
      for (const listener of ended) before.set(listenerKey(listener), start(listener));
      throw error;
    }
    if (after.size === 0) this.#running.delete(owner);
    else this.#running.set(owner, after);
  }

  /**
   * As {@link set} for `to`, which takes over the listeners of `from` that it wants without closing them: connections that
   * are open go on to where they went, new ones go to the new target. Other listeners of `from` end.
   */
  handOver(from: string, to: string, listeners: readonly Listener[]): void {
    const given = this.#running.get(from) ?? new Map<string, Running>();
    const taken = this.#running.get(to) ?? new Map<string, Running>();
    for (const listener of listeners) {
      const key = listenerKey(listener);
      const running = given.get(key);
      if (running === undefined) continue;
      running.route.target = listener.target;
      given.delete(key);
      taken.set(key, { ...running, listener });
    }
    if (taken.size > 0) this.#running.set(to, taken);
    this.set(from, []);
    this.set(to, listeners);
  }

  listenersOf(owner: string): Listener[] {
    return [...(this.#running.get(owner)?.values() ?? [])].map(({ listener }) => listener);
  }

  close(): void {
    for (const listeners of this.#running.values()) for (const running of listeners.values()) running.close();
    this.#running.clear();
  }
}

function sameTarget(a: Listener, b: Listener | undefined): boolean {
  return b !== undefined && a.target.address === b.target.address && a.target.port === b.target.port;
}

/** Says who has a port that bind(2) refused. */
export function bindError(listener: Pick<Listener, 'address' | 'port' | 'protocol'>, errno: number): TsdError {
  const { address, port, protocol } = listener;
  const where = `${address.includes(':') ? `[${address}]` : address}:${port}/${protocol}`;
  const step = `bind ${where}`;
  if (errno === constants.errno.EADDRINUSE) {
    const holder = portHolder(port, protocol) ?? 'another program';
    return new TsdError('TSD_PORT_IN_USE', `host port ${where} is in use by ${holder}`, { step, errno });
  }
  if (errno === constants.errno.EADDRNOTAVAIL) {
    const message = `no interface of this host has the address ${address}`;
    return new TsdError('TSD_NETWORK', message, { step, errno, class: 'precondition' });
  }
  return sysError('bind', errno, step);
}

function start(listener: Listener): Running {
  const fd = bindSocket(listener);
  if (fd < 0) throw bindError(listener, -fd);
  const route: Route = { target: listener.target };
  const close = listener.protocol === 'tcp' ? forwardTcp(fd, route) : forwardUdp(fd, listener, route);
  return { listener, route, close };
}

/** Returns what ends it. */
function forwardTcp(fd: number, route: Route): () => void {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const { target } = route;
    const upstream = connect({ host: target.address, port: target.port, allowHalfOpen: true });
    join(client, upstream, open);
    join(upstream, client, open);
  });
  server.on('error', () => server.close());
  server.listen({ fd });
  return () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
}

/** Passes what `from` says to `to`; when one breaks, both do. */
function join(from: Socket, to: Socket, open: Set<Socket>): void {
  open.add(from);
  from.on('error', () => to.destroy());
  from.on('close', () => {
    open.delete(from);
    to.destroySoon();
  });
  from.pipe(to);
}

interface Flow {
  readonly socket: UdpSocket;
  readonly target: Listener['target'];
  timer: NodeJS.Timeout;
}

/** Each client gets a socket of its own towards the container, so that answers find their way back. */
function forwardUdp(fd: number, { address }: Listener, route: Route): () => void {
  const flows = new Map<string, Flow>();
  const server = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const end = (key: string): void => {
    const flow = flows.get(key);
    if (flow === undefined) return;
    flows.delete(key);
    clearTimeout(flow.timer);
    flow.socket.close();
  };
  const open = (key: string, client: RemoteInfo): Flow => {
    const oldest = flows.size >= UDP_FLOWS ? flows.keys().next().value : undefined;
    if (oldest !== undefined) end(oldest);
    const socket = createSocket('udp4');
    const { target } = route;
    socket.on('message', (answer, { port, address: from }) => {
      if (port === target.port && from === target.address) server.send(answer, client.port, client.address);
    });
    socket.on('error', () => end(key));
    return { socket, target, timer: setTimeout(() => end(key), UDP_FLOW_MS).unref() };
  };
  server.on('message', (datagram, client) => {
    const key = `${client.address} ${client.port}`;
    const flow = flows.get(key) ?? open(key, client);
    flows.delete(key);
    flows.set(key, flow);
    flow.timer.refresh();
    flow.socket.send(datagram, flow.target.port, flow.target.address, () => undefined);
  });
  server.on('error', () => undefined);
  server.bind({ fd });
  return () => {
    for (const key of [...flows.keys()]) end(key);
    server.close();
  };
}
