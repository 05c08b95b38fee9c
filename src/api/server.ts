/** The HTTP server on the supervisor's sockets: routes in, TsdErrorJson out, and it outlives whatever it is sent. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import Router from 'find-my-way';
import { peerUid } from '../ffi/sockets/peer.ts';
import { TsdError, toTsdError } from '../model/errors/errors.ts';
import { parseHost } from './address.ts';
import { RequestError, statusOf } from './http-errors.ts';
import { writeNdjson } from './ndjson.ts';
import { OpenRequests, unlessEnded } from './open-requests.ts';
import type { OtherApi } from './other-api.ts';
import { readJsonBody } from './request-body.ts';
import { appRoutes } from './routes/apps.ts';
import { buildRoutes } from './routes/build.ts';
import { containerRoutes } from './routes/containers.ts';
import { explainRoutes } from './routes/explain.ts';
import { imageFileRoutes } from './routes/image-files.ts';
import { imageRoutes } from './routes/images.ts';
import { jobRoutes } from './routes/jobs.ts';
import { manifestRoutes } from './routes/manifests.ts';
import { queryRoutes } from './routes/queries.ts';
import { registryRoutes } from './routes/registries.ts';
import type { Reply, Route } from './routes/route.ts';
import { type SessionRoute, sessionRoutes } from './routes/sessions.ts';
import type { Caller, ServedApi } from './served.ts';
import { serveSession } from './session-server.ts';
import { listen, listenTargets } from './sockets.ts';
import { API_PREFIX, checkClient, IDENTITY_HEADERS } from './version.ts';

const ROUTES: readonly Route[] = [
  ...queryRoutes,
  ...manifestRoutes,
  ...containerRoutes,
  ...appRoutes,
  ...imageRoutes,
  ...imageFileRoutes,
  ...buildRoutes,
  ...registryRoutes,
  ...explainRoutes,
  ...jobRoutes,
];
const UPGRADES = ['tsdocker-stream', 'tcp'];
/** How long headers, body and an upgraded client's first frame may take. */
const DEFAULT_RECEIVE_TIMEOUT_MS = 30_000;
/** Longer than the 30 s for which Go's clients keep a connection that is idle. */
const KEEP_ALIVE_MS = 60_000;
/** Time to notify open connections of the end of the server. */
const LAST_WORDS_MS = 1_000;

function ending(): TsdError {
  return new TsdError('TSD_ENGINE_SHUTDOWN', 'the supervisor is shutting down', {
    hint: 'The next start continues what is declared; `tsdocker get` shows it then.',
  });
}

export interface ApiServerOptions {
  /** The facade for who asks. */
  readonly api: (caller: Caller) => ServedApi;
  /** Answers what is not below the prefix of this API; left out, such paths have no route. */
  readonly other?: OtherApi | undefined;
  /** As given with -H: `unix:///path`, `fd://`. */
  readonly hosts: readonly string[];
  /** Group that owns the sockets; null leaves them with the process's. */
  readonly group: string | null;
  /** Called for defects (class bug) in a request. */
  readonly onBug: (error: TsdError) => void;
  readonly receiveTimeoutMs?: number;
  /** Requests wait until {@link ApiServer.accept}; left out, they are answered from the beginning. */
  readonly waits?: boolean;
}

export interface ApiServer {
  /** Lets in the requests that wait. */
  accept(): void;
  /** Refuses requests, and ends those that wait or stream. Work continues. */
  refuse(): void;
  /** Ends all requests, and removes the sockets made by path. */
  close(): Promise<void>;
  /** Resolves when it is closed. */
  readonly closed: Promise<void>;
}

/**
 * Listens on all `hosts` or on none.
 * @throws TsdError TSD_FLAG for an unavailable address, TSD_LOCKED when another process answers on it.
 */
export async function serveApi(options: ApiServerOptions): Promise<ApiServer> {
  const dispatcher = new Dispatcher(options);
  const servers: Server[] = [];
  let isClosed = (): void => {};
  const closed = new Promise<void>((resolve) => {
    isClosed = resolve;
  });
  const close = async () => {
    await dispatcher.end();
    await Promise.all(servers.map(closeServer));
    isClosed();
  };
  try {
    for (const host of options.hosts) {
      for (const target of listenTargets(parseHost(host), process.env, process.pid)) {
        const server = makeServer(dispatcher, options.receiveTimeoutMs ?? DEFAULT_RECEIVE_TIMEOUT_MS);
        // Before it listens: a part that fails later must be closed too, or the process stays.
        servers.push(server);
        await listen(server, target, options.group);
      }
    }
  } catch (thrown) {
    await close();
    throw thrown;
  }
  return { accept: () => dispatcher.accept(), refuse: () => dispatcher.refuse(), close, closed };
}

function makeServer(dispatcher: Dispatcher, receiveTimeoutMs: number): Server {
  const server = createServer({
    // An upload takes as long as it takes; who reads a body limits how long its sender may be silent.
    requestTimeout: 0,
    headersTimeout: receiveTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connectionsCheckingInterval: Math.min(receiveTimeoutMs, 5_000),
  });
  server.on('request', (request, response) => {
    response.once('finish', () => endUnread(request, receiveTimeoutMs));
    void dispatcher.answer(request, response);
  });
  server.on('upgrade', (request, socket, head) => void dispatcher.upgrade(request, socket, head));
  return server;
}

/** A client that was answered may send the rest of its body, which is not read, for a limited time. */
function endUnread(request: IncomingMessage, withinMs: number): void {
  if (request.complete) return;
  const timer = setTimeout(() => request.destroy(), withinMs);
  request.once('close', () => clearTimeout(timer));
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

class Dispatcher {
  readonly #options: ApiServerOptions;
  readonly #router = Router({ maxParamLength: 512 });
  readonly #requests = new OpenRequests();
  readonly #sessions = new Set<Duplex>();
  /** What requests wait for; null from then on. */
  #accepted: Promise<void> | null = null;
  #accept = (): void => {};

  constructor(options: ApiServerOptions) {
    this.#options = options;
    if (options.waits === true) {
      this.#accepted = new Promise((resolve) => {
        this.#accept = resolve;
      });
    }
    for (const route of ROUTES) this.#router.on(route.method, `${API_PREFIX}${route.path}`, unused, route);
    for (const route of sessionRoutes) this.#router.on('POST', `${API_PREFIX}${route.path}`, unused, route);
  }

  accept(): void {
    this.#accepted = null;
    this.#accept();
  }

  refuse(): void {
    this.#requests.refuse(ending());
  }

  /** Every client gets the remaining output. */
  async end(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LAST_WORDS_MS);
    });
    // Work that is done has its answer within this turn of the loop: that is sent, and no error in its place.
    await setImmediate();
    await Promise.race([this.#requests.endAll(ending()), late]);
    clearTimeout(timer);
    for (const socket of this.#sessions) socket.destroy();
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const other = this.#otherFor(request);
    if (other !== null) return await this.#answerOther(other, request, response);
    for (const [name, value] of Object.entries(IDENTITY_HEADERS)) response.setHeader(name, value);
    try {
      checkClient(request.headers);
      const found = this.#find(request);
      const route = found.store as Route | SessionRoute;
      if ('start' in route) throw new RequestError(426, `this route needs \`Upgrade: ${UPGRADES[0]}\``);
      const open = this.#requests.begin(route.finishes === true);
      response.once('close', open.leave);
      response.on('error', open.leave);
      await this.#reply(route, found, request, response, open.signal).finally(open.end);
    } catch (thrown) {
      this.#refuse(response, thrown);
    }
  }

  #otherFor({ url = '/' }: IncomingMessage): OtherApi | null {
    return url.startsWith(`${API_PREFIX}/`) ? null : (this.#options.other ?? null);
  }

  async #answerOther(other: OtherApi, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const open = this.#requests.begin(false);
      response.once('close', open.leave);
      response.on('error', open.leave);
      const work = async (): Promise<void> => {
        if (this.#accepted !== null) await unlessEnded(this.#accepted, open.signal);
        await unlessEnded(
          other.answer(request, response, { uid: peerUid(request.socket), signal: open.signal }),
          open.signal,
        );
      };
      await work().finally(open.end);
    } catch (thrown) {
      other.refuse(response, thrown);
    }
  }

  async #upgradeOther(other: OtherApi, request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    try {
      if (this.#accepted !== null) await this.#accepted;
      const open = this.#requests.begin(false);
      socket.once('close', open.leave);
      const caller = { uid: peerUid(request.socket), signal: open.signal };
      await other.upgrade(request, socket, head, caller).finally(open.end);
    } catch (thrown) {
      endWith(socket, other.refusal(thrown));
    }
  }

  async #reply(
    route: Route,
    { params, searchParams: query }: Router.FindResult<Router.HTTPVersion.V1>,
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#accepted !== null) await unlessEnded(this.#accepted, signal);
    const answer = route.answer({
      api: this.#options.api({ uid: peerUid(request.socket), signal }),
      params,
      query,
      peerUid: () => peerUid(request.socket),
      readBody: () => readJsonBody(request, this.#options.receiveTimeoutMs ?? DEFAULT_RECEIVE_TIMEOUT_MS),
      signal,
    });
    await sendReply(response, await unlessEnded(answer, signal), signal);
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    // Node has let go of the connection: from here on it ends with us.
    this.#sessions.add(socket);
    socket.once('close', () => this.#sessions.delete(socket));
    const other = this.#otherFor(request);
    if (other !== null) return await this.#upgradeOther(other, request, socket, head);
    try {
      checkClient(request.headers);
      const protocol = request.headers.upgrade?.toLowerCase() ?? '';
      const found = this.#find(request);
      const route = found.store as Route | SessionRoute;
      if (!('start' in route)) throw new RequestError(400, 'this route has no upgrade');
      if (!UPGRADES.includes(protocol)) throw new RequestError(400, `cannot upgrade to ${protocol}`);
      if (this.#accepted !== null) await this.#accepted;
      const open = this.#requests.begin(false);
      socket.write(switchingProtocols(protocol));
      const name = found.params.name ?? '';
      const caller = { uid: peerUid(request.socket), signal: open.signal };
      await serveSession(socket, head, {
        start: (asked) => route.start(this.#options.api(caller), name, asked),
        openTimeoutMs: this.#options.receiveTimeoutMs ?? DEFAULT_RECEIVE_TIMEOUT_MS,
        signal: open.signal,
        leave: open.leave,
      }).finally(open.end);
    } catch (thrown) {
      endWith(socket, plainResponse(this.#judge(thrown)));
    }
  }

  #find(request: IncomingMessage): Router.FindResult<Router.HTTPVersion.V1> {
    const found = this.#router.find(request.method as Router.HTTPMethod, request.url ?? '/');
    if (found !== null) return found;
    throw new RequestError(404, `${request.method} ${request.url} is no route of this API`);
  }

  #judge(thrown: unknown): TsdError {
    const error = toTsdError(thrown);
    if (error.class === 'bug') this.#options.onBug(error);
    return error;
  }

  /** An unread rest of a body would precede the next request, so the connection ends here. */
  #refuse(response: ServerResponse, thrown: unknown): void {
    const error = this.#judge(thrown);
    if (response.headersSent) {
      response.destroy();
      return;
    }
    response.setHeader('connection', 'close');
    sendJson(response, error instanceof RequestError ? error.status : statusOf(error), error);
  }
}

/** How long a client that is refused may continue sending; what it sent is read so that it gets to read the answer. */
const REFUSED_MS = 1_000;

/** Answers and closes, also before a client that does not close its side or has sent more than is read. */
function endWith(socket: Duplex, answer: string): void {
  const timer = setTimeout(() => socket.destroy(), REFUSED_MS);
  socket.once('close', () => clearTimeout(timer));
  socket.once('end', () => socket.destroy());
  socket.resume();
  socket.end(answer);
}

/** Routes are looked up and answered here; find-my-way never calls a handler. */
function unused(): void {}

async function sendReply(response: ServerResponse, reply: Reply, signal: AbortSignal): Promise<void> {
  if (reply.type === 'json') sendJson(response, 200, reply.value);
  else if (reply.type === 'stream') await writeNdjson(response, reply.items, signal);
  else response.writeHead(204).end();
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
}

function headerLines(headers: Readonly<Record<string, string | number>>): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');
}

function switchingProtocols(protocol: string): string {
  const headers = { connection: 'Upgrade', upgrade: protocol, ...IDENTITY_HEADERS };
  return `HTTP/1.1 101 Switching Protocols\r\n${headerLines(headers)}\r\n`;
}

function plainResponse(error: TsdError): string {
  const body = `${JSON.stringify(error)}\n`;
  const status = error instanceof RequestError ? error.status : statusOf(error);
  const headers = {
    connection: 'close',
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  };
  return `HTTP/1.1 ${status} Refused\r\n${headerLines({ ...headers, ...IDENTITY_HEADERS })}\r\n${body}`;
}
