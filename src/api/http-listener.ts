/** A small read-only HTTP server beside the API: for a browser or a scraper, never for changing anything. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { TsdError, toTsdError } from '../model/errors/errors.ts';
import { describeHttpAddress, type HttpAddress, isOwnHost } from './http-address.ts';
import { listen } from './sockets.ts';

export interface HttpListenerOptions {
  readonly address: HttpAddress;
  /** Group that owns a unix socket. */
  readonly group: string | null;
  /** Answers a GET; `signal` aborts when the client is gone. What it throws is answered as text with status 500. */
  readonly answer: (request: HttpRequest, response: ServerResponse) => Promise<void>;
  /** Called for defects in a request. */
  readonly onBug: (error: TsdError) => void;
}

export interface HttpRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly signal: AbortSignal;
}

export interface HttpListener {
  /** `http://127.0.0.1:9323`; with port 0 the one that was given. */
  readonly url: string;
  close(): Promise<void>;
}

/** Enough for scrapers and a few browsers; more connections are an attack on our descriptors. */
const MAX_CONNECTIONS = 128;
const RECEIVE_TIMEOUT_MS = 10_000;

const ALWAYS = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
};

export function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}

/** Why a request is not answered; null when it is. */
function refusal(request: IncomingMessage, address: HttpAddress): { status: number; text: string } | null {
  if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, text: 'only GET is answered here' };
  if (address.type === 'tcp' && !isOwnHost(request.headers.host, hostname())) {
    return { status: 421, text: 'use the address or the name of this host: other names are not answered' };
  }
  // A page of another site, or of another port of this host.
  const site = request.headers['sec-fetch-site'];
  if (site === 'cross-site' || site === 'same-site') return { status: 403, text: 'not for other sites' };
  return null;
}

/** @throws TsdError TSD_FLAG, TSD_LOCKED when the address is unavailable. */
export async function serveHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const server = createServer({ requestTimeout: RECEIVE_TIMEOUT_MS, headersTimeout: RECEIVE_TIMEOUT_MS });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('request', (request, response) => void answer(options, request, response));
  await open(server, options);
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: describeHttpAddress(bound(server, options.address)), close };
}

async function open(server: Server, { address, group }: HttpListenerOptions): Promise<void> {
  if (address.type === 'unix') {
    await listen(server, { path: address.path }, group);
    return;
  }
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve);
    server.once('error', (error) => {
      const where = describeHttpAddress(address);
      reject(new TsdError('TSD_FLAG', `cannot listen on ${where}: ${error.message}`, { step: 'listen', cause: error }));
    });
    server.listen({ host: address.host, port: address.port });
  });
}

function bound(server: Server, address: HttpAddress): HttpAddress {
  return address.type === 'unix' ? address : { ...address, port: (server.address() as AddressInfo).port };
}

async function answer(options: HttpListenerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  response.on('error', () => gone.abort());
  for (const [name, value] of Object.entries(ALWAYS)) response.setHeader(name, value);
  const refused = refusal(request, options.address);
  if (refused) {
    sendText(response, refused.status, refused.text);
    return;
  }
  try {
    const url = URL.parse(request.url ?? '/', 'http://localhost');
    if (!url) sendText(response, 400, 'no address');
    else {
      const asked = { path: url.pathname, query: url.searchParams, headers: request.headers, signal: gone.signal };
      await options.answer(asked, response);
    }
  } catch (thrown) {
    const error = toTsdError(thrown);
    if (error.class === 'bug') options.onBug(error);
    if (response.headersSent) response.destroy();
    else sendText(response, error.class === 'not-found' ? 404 : 500, error.message);
  }
}
