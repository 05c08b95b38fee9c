/**
 * Turns a connection into raw bytes both ways: by `Upgrade`, where Node has let go of it already, or in the body of a plain
 * answer, which ends with the connection.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { parseBody } from './body.ts';
import { DockerError, type ErrorAnswer } from './docker-error.ts';
import { DOCKER_HEADERS } from './identity.ts';

const MAX_BODY_BYTES = 1024 * 1024;

function headOf(status: string, headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries({ ...DOCKER_HEADERS, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`;
}

/** The head that accepts an upgrade. Some clients lose bytes that come with it, so that nothing follows in the same write. */
export function upgradedHead(contentType: string, protocol: string): string {
  return headOf('101 UPGRADED', { 'Content-Type': contentType, Connection: 'Upgrade', Upgrade: protocol });
}

export function refusedHead({ status, message }: ErrorAnswer): string {
  const body = `${JSON.stringify({ message })}\n`;
  const headers = {
    Connection: 'close',
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
  };
  return `${headOf(`${status} Refused`, headers)}${body}`;
}

/**
 * Takes the body off the front of an upgraded connection; the rest goes back into it.
 * @throws DockerError 400 for one that is too large, cut off or not JSON
 */
export async function bodyOfUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<unknown> {
  const length = Number(request.headers['content-length'] ?? 0);
  const isChunked = request.headers['transfer-encoding'] === 'chunked';
  if (length > MAX_BODY_BYTES) throw new DockerError(400, 'the body of an upgrade is too large');
  let bytes = head;
  const more = async (): Promise<void> => {
    const chunk = await nextChunk(socket);
    if (chunk === null || bytes.length > MAX_BODY_BYTES)
      throw new DockerError(400, 'the body ended before it was complete');
    bytes = Buffer.concat([bytes, chunk]);
  };
  if (!isChunked) {
    while (bytes.length < length) await more();
    if (bytes.length > length) socket.unshift(bytes.subarray(length));
    return parseBody(bytes.subarray(0, length), request.headers['content-type']);
  }
  for (;;) {
    const found = unchunk(bytes);
    if (found !== null) {
      if (found.rest.length > 0) socket.unshift(found.rest);
      return parseBody(found.body, request.headers['content-type']);
    }
    await more();
  }
}

function nextChunk(socket: Duplex): Promise<Buffer | null> {
  return new Promise((resolve) => {
    const done = (chunk: Buffer | null): void => {
      socket.off('readable', look);
      socket.off('end', end);
      socket.off('close', end);
      resolve(chunk);
    };
    const look = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk !== null) done(chunk);
    };
    const end = (): void => done(null);
    socket.on('readable', look).on('end', end).on('close', end);
    look();
  });
}

/** Null while the last chunk is not there. @throws DockerError 400 */
function unchunk(bytes: Buffer): { readonly body: Buffer; readonly rest: Buffer } | null {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n', at);
    if (end === -1) return null;
    const size = Number.parseInt(bytes.subarray(at, end).toString('latin1'), 16);
    if (!Number.isSafeInteger(size) || size < 0) throw new DockerError(400, 'malformed chunked encoding');
    const start = end + 2;
    if (bytes.length < start + size + 2) return null;
    if (size === 0) return { body: Buffer.concat(parts), rest: bytes.subarray(start + 2) };
    parts.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}

/** The head of a plain answer whose body is the stream. */
export function plainHead(contentType: string): string {
  return headOf('200 OK', { 'Content-Type': contentType, Connection: 'close' });
}

/** Where no upgrade was asked for: input is the body of the request, output goes to the connection until it is closed. */
export function plainStream(request: IncomingMessage): Duplex {
  const socket: Socket = request.socket;
  const stream = new Duplex({
    allowHalfOpen: true,
    read: () => request.resume(),
    write: (chunk: Buffer, _encoding, done) => void socket.write(chunk, done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  request.on('data', (chunk: Buffer) => {
    if (!stream.push(chunk)) request.pause();
  });
  request.on('end', () => stream.push(null));
  return stream;
}
