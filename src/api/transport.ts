/**
 * One HTTP exchange a call over the supervisor's unix socket. The requests are simple and the server is ours: loading and
 * running node's own client takes longer than all the rest of a short command.
 */
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TsdError } from '../model/errors/errors.ts';
import { AnswerDecoder, type AnswerHead } from './answer-decoder.ts';
import { errorFromJson, errorOfDocker } from './http-errors.ts';
import { connectionLost } from './ndjson.ts';
import { API_PREFIX, checkServer, IDENTITY_HEADERS, VERSION } from './version.ts';

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the prefix, encoded. */
  readonly path: string;
  /** Of another API on the same socket; left out, that of ours. */
  readonly prefix?: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** A connection on which an answer began. */
interface Exchange {
  readonly socket: Socket;
  readonly decoder: AnswerDecoder;
  readonly head: AnswerHead;
  /** What came of the body together with the head. */
  readonly begin: readonly Buffer[];
}

/**
 * Sends a call and resolves with the body of its answer when the status is a good one. Leaving the body early ends the call.
 * @throws TsdError what the supervisor answered; TSD_NO_SUPERVISOR, TSD_SOCKET_DENIED or TSD_VERSION_MISMATCH.
 */
export async function exchange(socketPath: string, call: Call): Promise<AsyncGenerator<Buffer, void, undefined>> {
  const body = call.body === undefined ? null : Buffer.from(JSON.stringify(call.body));
  const content = body && { 'content-type': 'application/json', 'content-length': String(body.length) };
  const request = requestHead(call, { connection: 'close', ...content });
  const answer = await send(socketPath, body ? Buffer.concat([request, body]) : request, call.signal);
  await checkAnswer(answer, socketPath);
  return bodyOf(answer);
}

/** The JSON value of an answer; undefined where there is no content. */
export async function exchangeJson<T>(socketPath: string, call: Call): Promise<T> {
  return (await readJson(await exchange(socketPath, call))) as T;
}

/** Another API, and the protocol that it upgrades to. */
interface Protocol {
  readonly prefix: string;
  readonly protocol: string;
}

/**
 * Upgrades a connection to frames; the bytes that came with the headers are `head`.
 * @param first what the client says first in the new protocol, which goes along with the request
 */
export async function upgrade(
  socketPath: string,
  path: string,
  first: Buffer,
  { prefix, protocol }: Protocol = { prefix: API_PREFIX, protocol: 'tsdocker-stream' },
): Promise<{ socket: Duplex; head: Buffer }> {
  const request = requestHead({ method: 'POST', path, prefix }, { connection: 'Upgrade', upgrade: protocol });
  const answer = await send(socketPath, Buffer.concat([request, first]));
  if (answer.head.status === 101) return { socket: answer.socket, head: answer.decoder.rest };
  await checkAnswer(answer, socketPath);
  answer.socket.destroy();
  throw new TsdError('TSD_BUG', `the supervisor did not upgrade: HTTP ${answer.head.status}`);
}

function requestHead(
  { method, path, prefix = API_PREFIX }: Pick<Call, 'method' | 'path' | 'prefix'>,
  headers: Readonly<Record<string, string>>,
): Buffer {
  const lines = Object.entries({
    host: 'localhost',
    'user-agent': `tsdocker/${VERSION}`,
    ...IDENTITY_HEADERS,
    ...headers,
  });
  // Paths are encoded and headers are ours; what would end a line must not get here anyway.
  if (/[^!-~]/.test(path)) throw new TsdError('TSD_BUG', `the path of a call is not encoded: ${JSON.stringify(path)}`);
  return Buffer.from(
    `${method} ${prefix}${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
    'latin1',
  );
}

/** Sends a request and resolves when the head of the answer is there. */
function send(socketPath: string, request: Buffer, signal?: AbortSignal): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketPath, ...(signal && { signal }) });
    const decoder = new AnswerDecoder();
    const fail = (error: Error): void => {
      socket.destroy();
      reject(connectError(error, socketPath));
    };
    const receive = (chunk: Buffer): void => {
      try {
        const begin = decoder.push(chunk);
        if (decoder.head === null) return;
        socket.pause();
        socket.off('data', receive).off('close', cutOff).off('error', fail);
        // Whoever reads on gets the errors; until then they are no reason to end the process.
        socket.on('error', () => undefined);
        resolve({ socket, decoder, head: decoder.head, begin });
      } catch (thrown) {
        socket.destroy();
        reject(stranger(socketPath, thrown));
      }
    };
    const cutOff = (): void => reject(connectionLost());
    socket.on('data', receive).once('close', cutOff).once('error', fail);
    socket.write(request);
  });
}

async function* bodyOf({ socket, decoder, begin }: Exchange): AsyncGenerator<Buffer, void, undefined> {
  try {
    yield* begin;
    if (decoder.ended) return;
    for await (const chunk of socket) {
      yield* decoder.push(chunk as Buffer);
      if (decoder.ended) return;
    }
  } catch (thrown) {
    throw connectionLost(thrown);
  } finally {
    socket.destroy();
  }
  if (!decoder.complete) throw connectionLost();
}

async function checkAnswer(answer: Exchange, socketPath: string): Promise<void> {
  const { status, headers } = answer.head;
  try {
    checkServer(headers, socketPath);
  } catch (thrown) {
    answer.socket.destroy();
    throw thrown;
  }
  if (status >= 200 && status < 300) return;
  const value = await readJson(bodyOf(answer)).catch(() => null);
  const error = errorFromJson(value) ?? errorOfDocker(status, value);
  throw error ?? new TsdError('TSD_BUG', `the supervisor answered HTTP ${status} without a reason`);
}

async function readJson(body: AsyncIterable<Buffer>): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function stranger(socketPath: string, cause: unknown): TsdError {
  return new TsdError('TSD_NO_SUPERVISOR', `something that is not a tsdocker supervisor answers on ${socketPath}`, {
    hint: 'Name the right socket with -H or TSDOCKER_HOST.',
    cause,
  });
}

export function connectError(error: NodeJS.ErrnoException, socketPath: string): Error {
  if (error.name === 'AbortError') return error;
  if (error.code === 'EACCES' || error.code === 'EPERM') {
    return new TsdError('TSD_SOCKET_DENIED', `no permission to use ${socketPath}`, { cause: error });
  }
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') {
    return new TsdError('TSD_NO_SUPERVISOR', `no supervisor answers on ${socketPath}`, { cause: error });
  }
  return connectionLost(error);
}
