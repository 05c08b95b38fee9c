/** One HTTP exchange with time limits. Nothing here follows redirects or knows about registries. */
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest, type RequestOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { TsdError } from '../../model/errors/errors.ts';
import { cancelled } from './cancelled.ts';

/** What TLS connections to one host use. */
export interface TlsSettings {
  /** PEM certificates trusted besides the system's; null for the system's alone. */
  readonly ca: readonly string[] | null;
  readonly client: { readonly cert: string; readonly key: string } | null;
  /** False takes any certificate. */
  readonly verify: boolean;
}

export interface HttpTimeouts {
  /** Until the connection stands. */
  readonly connectMs: number;
  /** Without a byte in either direction. */
  readonly stallMs: number;
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Buffer | Readable | undefined;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly url: URL;
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end or destroyed. */
  readonly body: IncomingMessage;
}

/** Connects to a host in another way than from this process. Rejects when the signal aborts. */
export type Connect = (host: string, port: number, signal: AbortSignal) => Promise<Socket>;

/** Codes by which node:tls says that a certificate is not to be trusted. */
const CERTIFICATE_ERROR = /CERT|UNABLE_TO_(?:GET|VERIFY)|SELF_SIGNED|ERR_TLS_/;

/** Connections to one host, kept for the next request. */
export class HttpConnections {
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;
  readonly #timeouts: HttpTimeouts;
  readonly #closing = new AbortController();

  /** @param connect left out, connections are made from this process. */
  constructor(tls: TlsSettings, timeouts: HttpTimeouts, connect: Connect | null = null) {
    this.#timeouts = timeouts;
    this.#http = new HttpAgent({ keepAlive: true });
    this.#https = new HttpsAgent({
      keepAlive: true,
      rejectUnauthorized: tls.verify,
      ...(tls.ca !== null && { ca: [...tls.ca] }),
      ...(tls.client !== null && tls.client),
    });
    if (connect === null) return;
    this.#http.createConnection = this.#through(connect, (socket) => socket);
    this.#https.createConnection = this.#through(connect, (socket, options) =>
      connectTls({ ...(options as ConnectionOptions), socket }),
    );
  }

  /** @throws TSD_REGISTRY when there is no answer; with class `timeout`, `denied` (certificate) where that is why. */
  async send({ method, url, headers, body, signal }: HttpRequest): Promise<HttpResponse> {
    const secure = url.protocol === 'https:';
    const request = (secure ? httpsRequest : httpRequest)(url, {
      method,
      headers: { 'user-agent': 'tsdocker', ...headers },
      agent: secure ? this.#https : this.#http,
      signal,
    });
    const response = new Promise<IncomingMessage>((resolve, reject) => {
      request.once('response', resolve);
      request.once('error', reject);
    });
    const connecting = setTimeout(() => request.destroy(timedOut(url, 'connect')), this.#timeouts.connectMs);
    request.once('socket', (socket) => {
      const connected = () => clearTimeout(connecting);
      if (socket.connecting) socket.once(secure ? 'secureConnect' : 'connect', connected);
      else connected();
    });
    let answer: IncomingMessage | null = null;
    // The reader of the answer would see a destroyed request only as a closed connection.
    request.setTimeout(this.#timeouts.stallMs, () => (answer ?? request).destroy(timedOut(url, 'stalled')));
    try {
      if (body === undefined) request.end();
      else if (Buffer.isBuffer(body)) request.end(body);
      // The answer may come, and the connection end, before everything was sent.
      else pipeline(body, request).catch((error: Error) => request.destroy(error));
      answer = await response;
      answer.once('error', () => {});
      return { url, status: answer.statusCode ?? 0, headers: answer.headers, body: answer };
    } catch (thrown) {
      throw connectionError(url, thrown, signal);
    } finally {
      clearTimeout(connecting);
    }
  }

  #through(
    connect: Connect,
    wrap: (socket: Socket, options: RequestOptions) => Duplex,
  ): (options: RequestOptions, made?: (error: Error | null, socket: Duplex) => void) => undefined {
    return (options, made) => {
      connect(options.host ?? '', Number(options.port), this.#closing.signal).then(
        (socket) => made?.(null, wrap(socket, options)),
        // Node reads no socket where there is an error; its types want one.
        (error: Error) => made?.(error, undefined as unknown as Duplex),
      );
    };
  }

  close(): void {
    this.#closing.abort(new Error('the connections were closed'));
    this.#http.destroy();
    this.#https.destroy();
  }
}

function timedOut(url: URL, what: 'connect' | 'stalled'): TsdError {
  const message = what === 'connect' ? `no connection to ${url.host} in time` : `${url.host} stopped answering`;
  return new TsdError('TSD_REGISTRY', message, { class: 'timeout', step: 'ask registry' });
}

/** What broke an exchange, or the reading of its answer, as an error of ours. */
export function connectionError(url: URL, thrown: unknown, signal: AbortSignal): TsdError {
  if (signal.aborted) return cancelled(signal, 'ask registry', thrown);
  if (thrown instanceof TsdError) return thrown;
  const { code = '', message } = thrown as NodeJS.ErrnoException;
  if (CERTIFICATE_ERROR.test(code)) {
    return new TsdError('TSD_REGISTRY', `the certificate of ${url.host} is not trusted: ${message}`, {
      class: 'denied',
      step: 'ask registry',
      hint: `Put its CA into /etc/docker/certs.d/${url.host}/ca.crt, or name the registry with --insecure-registry.`,
      cause: thrown,
    });
  }
  return new TsdError('TSD_REGISTRY', `${url.host} cannot be reached: ${message || code}`, {
    step: 'ask registry',
    cause: thrown,
  });
}

/** A whole answer of at most `max` bytes. @throws TSD_REGISTRY_INVALID for a longer one, TSD_REGISTRY when it breaks off. */
export async function readAnswer(response: HttpResponse, max: number, signal: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of response.body as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > max) {
        throw new TsdError('TSD_REGISTRY_INVALID', `${response.url.host} answers with more than ${max} bytes`, {
          step: 'read answer',
        });
      }
      pieces.push(piece);
    }
  } catch (thrown) {
    throw connectionError(response.url, thrown, signal);
  } finally {
    response.body.destroy();
  }
  return Buffer.concat(pieces);
}
