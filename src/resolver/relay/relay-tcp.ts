import { connect, createServer, type Socket } from 'node:net';
import type { RelayTarget } from '../protocol.ts';
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

export interface RelayOptions {
  readonly flows: OpenFlows;
  readonly waits: TcpWaits;
  /** Of new connections and clients. */
  readonly target: () => RelayTarget;
  /** One could not be passed on. */
  readonly onFailed: () => void;
  /** Called when the socket fails for good. */
  readonly onEnd: (error: Error) => void;
}

/** A socket that is relayed. */
export interface RunningRelay {
  /** Ends it, and what is open. */
  close(): void;
  /** Takes nothing more; what is open goes on as far as it can without the socket. */
  leave(): void;
  /** The target is another one. */
  moved(): void;
}

/** Passes the connections of a listening socket on. */
export function relayTcp(fd: number, { flows, waits, target, onFailed, onEnd }: RelayOptions): RunningRelay {
  const group = flows.group();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const { address, port } = target();
    const upstream = connect({ host: address, port, allowHalfOpen: true });
    const flow = {
      descriptors: 2,
      end: () => {
        client.destroy();
        upstream.destroy();
      },
    };
    const hooks = { touch: () => flows.touch(group, flow), end: () => flows.close(group, flow), waits };
    flows.open(group, flow);
    let connected = false;
    upstream.setTimeout(waits.connectMs, hooks.end);
    upstream.once('connect', () => {
      connected = true;
      upstream.setTimeout(client.readableEnded ? waits.halfClosedMs : 0);
    });
    upstream.once('close', () => {
      if (!connected) onFailed();
    });
    join(client, upstream, hooks);
    join(upstream, client, hooks);
  });
  // A connection that could not be accepted (out of descriptors, say) is no reason to stop listening.
  server.on('error', (error) => {
    if (!server.listening) onEnd(error);
  });
  server.listen({ fd });
  return {
    close: () => {
      server.close();
      flows.closeGroup(group);
    },
    leave: () => void server.close(),
    // Connections end where they began.
    moved: () => undefined,
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
