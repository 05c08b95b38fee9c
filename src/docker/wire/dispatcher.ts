/** Answers requests of Docker's clients: route, version, errors, upgrades. */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { OtherApi, OtherCaller } from '../../api/other-api.ts';
import { hasHungUp } from '../../ffi/sockets/peer.ts';
import { type TsdError, toTsdError } from '../../model/errors/errors.ts';
import type { DockerParts } from '../docker-parts.ts';
import { ROUTES } from '../routes/routes.ts';
import { readBody } from './body.ts';
import { DockerError } from './docker-error.ts';
import { bodyOfUpgrade, plainHead, plainStream, refusedHead, upgradedHead } from './hijack.ts';
import { DOCKER_HEADERS } from './identity.ts';
import { Query } from './query.ts';
import type { DockerCall, DockerReply } from './route.ts';
import { DockerRouter, type Found } from './router.ts';
import { errorOf, sendJson, sendReply } from './send.ts';
import { type Versioned, versionOf } from './versions.ts';
import { WebSocketStream } from './websocket.ts';

/** A client that is gone while nothing is read from it or written to it is noticed within this time. */
const HUNG_UP_LOOK_MS = 1_000;
const UNKNOWN_CLIENT = 'a Docker client';

interface Asked extends Found {
  readonly version: Versioned;
  readonly query: Query;
}

export class DockerDispatcher implements OtherApi {
  readonly #parts: (caller: OtherCaller) => DockerParts;
  readonly #onBug: (error: TsdError) => void;
  readonly #router = new DockerRouter(ROUTES);

  constructor(parts: (caller: OtherCaller) => DockerParts, onBug: (error: TsdError) => void) {
    this.#parts = parts;
    this.#onBug = onBug;
  }

  async answer(request: IncomingMessage, response: ServerResponse, caller: OtherCaller): Promise<void> {
    for (const [name, value] of Object.entries(DOCKER_HEADERS)) response.setHeader(name, value);
    if (request.method === 'OPTIONS') {
      response.writeHead(200).end();
      return;
    }
    const asked = this.#find(request);
    const call = this.#callOf(request, asked, caller, () => readBody(request));
    const reply = await asked.route.answer(call);
    if (reply.type === 'websocket') throw new DockerError(400, 'a WebSocket begins with an upgrade');
    if (reply.type !== 'hijack') {
      await sendReply(response, reply, caller.signal);
      return;
    }
    // From here on the connection is no HTTP any more: Node must not answer in its place.
    const { socket } = request;
    response.detachSocket(socket);
    const stream = plainStream(request);
    socket.write(plainHead(reply.contentType));
    await hijacked(reply, { stream, socket }, caller.signal);
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, caller: OtherCaller): Promise<void> {
    const asked = this.#find(request);
    const protocol = request.headers.upgrade ?? 'tcp';
    const call = this.#callOf(request, asked, caller, () => bodyOfUpgrade(request, socket, head));
    const reply = await asked.route.answer(call);
    if (reply.type === 'hijack') {
      socket.write(upgradedHead(reply.contentType, protocol));
      await hijacked(reply, { stream: socket, socket }, caller.signal);
      return;
    }
    if (reply.type === 'websocket') {
      socket.write(reply.head);
      await hijacked(reply, { stream: new WebSocketStream(socket, reply.messages), socket }, caller.signal);
      return;
    }
    // A client that offers an upgrade with every request (Java's) is answered without one.
    const response = new ServerResponse(request);
    for (const [name, value] of Object.entries({ ...DOCKER_HEADERS, Connection: 'close' }))
      response.setHeader(name, value);
    response.assignSocket(socket as Socket);
    await sendReply(response, reply, caller.signal);
    response.once('finish', () => socket.end());
  }

  refuse(response: ServerResponse, thrown: unknown): void {
    const { status, message } = this.#judge(thrown);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    for (const [name, value] of Object.entries(DOCKER_HEADERS)) response.setHeader(name, value);
    // A body that is not read would be taken for the next request; HEAD has no room for a message.
    response.setHeader('Connection', 'close');
    if (response.req.method === 'HEAD') response.writeHead(status).end();
    else sendJson(response, status, { message });
  }

  refusal(thrown: unknown): string {
    return refusedHead(this.#judge(thrown));
  }

  #judge(thrown: unknown) {
    if (!(thrown instanceof DockerError)) {
      const error = toTsdError(thrown);
      if (error.class === 'bug') this.#onBug(error);
    }
    return errorOf(thrown);
  }

  #find(request: IncomingMessage): Asked {
    const url = request.url ?? '/';
    const at = url.indexOf('?');
    const version = versionOf(at === -1 ? url : url.slice(0, at));
    const found = this.#router.find(request.method ?? 'GET', version);
    return { ...found, version, query: new Query(at === -1 ? '' : url.slice(at + 1)) };
  }

  #callOf(
    request: IncomingMessage,
    { params, version, query }: Asked,
    caller: OtherCaller,
    read: () => Promise<unknown>,
  ): DockerCall {
    const { uid, signal } = caller;
    const client = request.headers['user-agent'] ?? UNKNOWN_CLIENT;
    return {
      docker: this.#parts(caller),
      minor: version.minor,
      params,
      query,
      request,
      uid,
      client,
      readBody: read,
      signal,
    };
  }
}

async function hijacked(
  reply: Extract<DockerReply, { type: 'hijack' | 'websocket' }>,
  { stream, socket }: { readonly stream: Duplex; readonly socket: Duplex },
  signal: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  stream.once('close', leave);
  stream.on('error', leave);
  const looks = setInterval(() => hasHungUp(socket) && leave(), HUNG_UP_LOOK_MS);
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  try {
    await reply.run({ stream, signal: gone.signal });
    stream.end();
  } catch {
    // The client sees a stream that breaks off.
    stream.destroy();
  } finally {
    clearInterval(looks);
  }
}
