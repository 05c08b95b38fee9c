/** One HTTP exchange a call over the supervisor's unix socket. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TsdError } from '../model/errors.ts';
import { errorFromJson } from './http-errors.ts';
import { connectionLost } from './ndjson.ts';
import { API_PREFIX, checkServer, IDENTITY_HEADERS } from './version.ts';

export interface Call {
  readonly method: 'GET' | 'POST';
  /** Below the API's prefix, encoded. */
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a call and resolves with its answer when the status is a good one.
 * @throws TsdError what the supervisor answered; TSD_NO_SUPERVISOR, TSD_SOCKET_DENIED or TSD_VERSION_MISMATCH.
 */
export async function exchange(socketPath: string, call: Call): Promise<IncomingMessage> {
  const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body));
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest({
      socketPath,
      agent: false,
      method: call.method,
      path: `${API_PREFIX}${call.path}`,
      headers: {
        ...IDENTITY_HEADERS,
        ...(body && { 'content-type': 'application/json', 'content-length': body.length }),
      },
      ...(call.signal && { signal: call.signal }),
    });
    request.once('response', resolve);
    request.once('error', (error) => reject(connectError(error, socketPath)));
    request.end(body ?? undefined);
  });
  await checkAnswer(response, socketPath);
  return response;
}

/** The JSON value of an answer; undefined where there is no content. */
export async function exchangeJson<T>(socketPath: string, call: Call): Promise<T> {
  return (await readJson(await exchange(socketPath, call))) as T;
}

/** Upgrades a connection to frames; the bytes that came with the headers are `head`. */
export async function upgrade(socketPath: string, path: string): Promise<{ socket: Duplex; head: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({
      socketPath,
      agent: false,
      method: 'POST',
      path: `${API_PREFIX}${path}`,
      headers: { ...IDENTITY_HEADERS, connection: 'Upgrade', upgrade: 'tsdocker-stream' },
    });
    request.once('upgrade', (_response, socket, head) => resolve({ socket, head }));
    request.once('response', (response) => {
      checkAnswer(response, socketPath).then(
        () => reject(new TsdError('TSD_BUG', `the supervisor did not upgrade: HTTP ${response.statusCode}`)),
        reject,
      );
    });
    request.once('error', (error) => reject(connectError(error, socketPath)));
    request.end();
  });
}

async function checkAnswer(response: IncomingMessage, socketPath: string): Promise<void> {
  const status = response.statusCode ?? 0;
  try {
    checkServer(response.headers, socketPath);
  } catch (thrown) {
    response.destroy();
    throw thrown;
  }
  if (status >= 200 && status < 300) return;
  const value = await readJson(response).catch(() => null);
  throw errorFromJson(value) ?? new TsdError('TSD_BUG', `the supervisor answered HTTP ${status} without a reason`);
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (cause) {
    throw connectionLost(cause);
  }
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function connectError(error: NodeJS.ErrnoException, socketPath: string): Error {
  if (error.name === 'AbortError') return error;
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return new TsdError('TSD_SOCKET_DENIED', `no permission to use ${socketPath}`, { cause: error });
  }
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return new TsdError('TSD_NO_SUPERVISOR', `no supervisor answers on ${socketPath}`, { cause: error });
  }
  return connectionLost(error);
}
