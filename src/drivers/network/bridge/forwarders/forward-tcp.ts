import { connect, createServer, type Socket } from 'node:net';
import type { Listener } from '../publication.ts';
import type { OpenFlows } from './open-flows.ts';

/** A connection's waits, as long as the kernel's for what it translates itself (nf_conntrack_tcp_timeout_*). */
export interface TcpWaits {
  /** Until the container answers. */
  readonly connectMs: number;
  /** Silence of a connection that one side has ended. */
  readonly halfClosedMs: number;
}

export const TCP_WAITS: TcpWaits = { connectMs: 60_000, halfClosedMs: 120_000 };

/** Silence after which the other side is asked whether it is still there (Docker's userland proxy: 15 s). */
const KEEP_ALIVE_MS = 15_000;

/** Where new connections and clients are passed on to; it may change while the listener is open. */
export interface Route {
  target: Listener['target'];
}

export interface ForwardOptions {
  readonly flows: OpenFlows;
  readonly waits: TcpWaits;
  /** Called when the listener fails for good. */
  readonly onEnd: () => void;
}

/** Passes the connections of a listening socket on. Returns what ends it. */
export function forwardTcp(fd: number, route: Route, { flows, waits, onEnd }: ForwardOptions): () => void {
  const group = flows.group();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const { target } = route;
    const upstream = connect({ host: target.address, port: target.port, allowHalfOpen: true });
    const flow = {
      descriptors: 2,
      end: () => {
        client.destroy();
        upstream.destroy();
      },
    };
    const hooks = { touch: () => flows.touch(group, flow), end: () => flows.close(group, flow), waits };
    flows.open(group, flow);
    upstream.setTimeout(waits.connectMs, hooks.end);
    upstream.once('connect', () => upstream.setTimeout(client.readableEnded ? waits.halfClosedMs : 0));
    join(client, upstream, hooks);
    join(upstream, client, hooks);
  });
  // A connection that could not be accepted (out of descriptors, say) is no reason to stop listening.
  server.on('error', () => {
    if (!server.listening) onEnd();
  });
  server.listen({ fd });
  return () => {
    server.close();
    flows.closeGroup(group);
  };
}

interface Hooks {
  readonly waits: TcpWaits;
  touch(): void;
  end(): void;
}

/** Passes what `from` says to `to`; when one breaks, both do. */
function join(from: Socket, to: Socket, { waits, touch, end }: Hooks): void {
  from.setKeepAlive(true, KEEP_ALIVE_MS);
  from.on('error', () => to.destroy());
  from.on('data', touch);
  from.on('end', () => {
    for (const socket of [from, to]) socket.setTimeout(waits.halfClosedMs, end);
  });
  from.on('close', () => {
    to.destroySoon();
    if (to.destroyed) end();
    else to.once('close', end);
  });
  from.pipe(to);
}
