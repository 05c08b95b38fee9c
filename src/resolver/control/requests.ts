/** Does what a request says. */
import { closeSync } from 'node:fs';
import { socketKind } from '../../ffi/sockets/internet.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { RelayState, ReplyTo, Request, RequestKind, SocketRole } from '../protocol.ts';
import type { Registry } from '../registry.ts';
import type { Lane } from './lanes.ts';
import { RefusedRequest } from './refused-request.ts';

type Handlers = {
  readonly [Kind in Exclude<RequestKind, 'hello' | 'end'>]: (
    request: Request & { readonly kind: Kind },
    registry: Registry,
    lane: Lane,
  ) => ReplyTo<Kind>;
};

const HANDLERS: Handlers = {
  'set-host-servers': ({ servers, digest }, registry) => {
    registry.setHostServers(servers, digest);
    return null;
  },
  'set-network': ({ network }, registry) => {
    registry.setNetwork(network);
    return null;
  },
  'change-network': ({ change }, registry) => {
    if (registry.changeNetwork(change)) return null;
    throw new RefusedRequest('stale', `network ${change.key} is not at ${change.from}`);
  },
  'remove-network': ({ key }, registry) => {
    registry.removeNetwork(key);
    return null;
  },
  'set-sandbox': ({ sandbox }, registry) => {
    registry.setSandbox(sandbox);
    return null;
  },
  'remove-sandbox': ({ id }, registry) => {
    registry.removeSandbox(id);
    return null;
  },
  'give-sockets': ({ id, parcel, roles }, registry, lane) => {
    giveSockets(registry, id, roles, lane.take(parcel));
    return null;
  },
  'take-sockets': ({ id }, registry, lane) => {
    const { roles, fds } = registry.known(id)?.sockets() ?? { roles: [], fds: [] };
    const parcel = fds.length === 0 ? null : lane.send(fds);
    registry.leaveSandbox(id);
    return { parcel, roles };
  },
  'set-relay': ({ relay, parcel }, registry, lane) => {
    if (parcel !== null) giveRelay(registry, relay, lane.take(parcel));
    else if (!registry.relays.move(relay)) throw new RefusedRequest('stale', `no relay of ${relay.key} is here`);
    return null;
  },
  'remove-relay': ({ key }, registry) => {
    registry.relays.remove(key);
    return null;
  },
  'take-relay': ({ key }, { relays }, lane) => {
    const fd = relays.descriptor(key);
    const parcel = fd === null ? null : lane.send([fd]);
    relays.leave(key);
    return { parcel };
  },
  stats: (_request, registry) => registry.stats(),
};

/** @throws RefusedRequest, or TsdError for values that are none */
export function handle(request: Request, registry: Registry, lane: Lane): ReplyTo<RequestKind> {
  if (!Object.hasOwn(HANDLERS, request.kind)) {
    throw new RefusedRequest('bad-request', `this program does not know ${JSON.stringify(request.kind)}`);
  }
  const handler = HANDLERS[request.kind as keyof Handlers] as (
    request: Request,
    registry: Registry,
    lane: Lane,
  ) => ReplyTo<RequestKind>;
  return handler(request, registry, lane);
}

const KINDS: Readonly<Record<SocketRole, string>> = {
  udp: 'udp 4 false',
  tcp: 'tcp 4 true',
  'dial-udp4': 'udp 4 false',
  'dial-udp6': 'udp 6 false',
  'dial-tcp4': 'tcp 4 false',
  'dial-tcp6': 'tcp 6 false',
};

function giveSockets(registry: Registry, id: string, roles: readonly SocketRole[], fds: readonly number[]): void {
  const wrong = roles.find((role, index) => {
    const kind = socketKind(fds[index] ?? -1);
    return kind === null || `${kind.protocol} ${kind.family} ${kind.isListening}` !== KINDS[role];
  });
  if (roles.length !== fds.length || wrong !== undefined) {
    for (const fd of fds) closeSync(fd);
    throw new RefusedRequest('bad-request', `${fds.length} descriptors are not ${roles.join(', ')}`);
  }
  const sandbox = registry.sandbox(id);
  for (const role of new Set(roles)) {
    sandbox.replace(
      role,
      fds.filter((_, index) => roles[index] === role),
    );
  }
}

function giveRelay(registry: Registry, relay: RelayState, fds: readonly number[]): void {
  const [fd = -1] = fds;
  const kind = fds.length === 1 ? socketKind(fd) : null;
  if (kind?.protocol !== relay.protocol || kind.isListening !== (relay.protocol === 'tcp')) {
    for (const each of fds) closeSync(each);
    throw new RefusedRequest('bad-request', `${fds.length} descriptors are not a socket of ${relay.key}`);
  }
  registry.relays.start(relay, fd, kind.family);
}

export interface NumberedRequest {
  readonly id: number;
  readonly request: Request;
}

/** The request of a message, as far as every kind has it. @throws TsdError TSD_BAD_REQUEST */
export function requestOf(message: unknown): NumberedRequest {
  const { id, request } = (message ?? {}) as { id?: unknown; request?: { kind?: unknown } | null };
  if (typeof id === 'number' && typeof request?.kind === 'string') return message as NumberedRequest;
  throw new TsdError('TSD_BAD_REQUEST', 'a message that is no request with a number');
}
