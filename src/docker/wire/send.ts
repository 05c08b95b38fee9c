/** Writes an answer as fast as the client reads it. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { unlessAborted } from '../../api/ndjson.ts';
import { toTsdError } from '../../model/errors/errors.ts';
import { answerOf, DockerError, type ErrorAnswer } from './docker-error.ts';
import type { DockerReply } from './route.ts';

type Plain = Exclude<DockerReply, { type: 'hijack' | 'websocket' }>;

export function errorOf(thrown: unknown): ErrorAnswer {
  return answerOf(thrown instanceof DockerError ? thrown : toTsdError(thrown));
}

/** Clients take no `charset`. */
export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  response.writeHead(status, { ...headers, 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(body);
}

export async function sendReply(response: ServerResponse, reply: Plain, signal: AbortSignal): Promise<void> {
  switch (reply.type) {
    case 'json':
      sendJson(response, reply.status, reply.value, reply.headers);
      return;
    case 'empty':
      response.writeHead(reply.status, reply.headers ?? {}).end();
      return;
    case 'text': {
      const headers = { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(reply.text) };
      response.writeHead(200, { ...headers, ...reply.headers }).end(reply.text);
      return;
    }
    case 'lines':
      response.writeHead(200, { 'Content-Type': reply.contentType ?? 'application/json' });
      await pump(response, linesOf(reply.items), signal);
      return;
    case 'bytes':
      response.writeHead(200, reply.headers);
      await pump(response, reply.chunks, signal);
  }
}

/** What fails after the head was sent is a last line: `errorDetail` is where clients look. */
async function* linesOf(items: AsyncIterable<unknown>): AsyncGenerator<string> {
  try {
    for await (const item of items) yield `${JSON.stringify(item)}\r\n`;
  } catch (thrown) {
    const { message } = errorOf(thrown);
    yield `${JSON.stringify({ errorDetail: { message }, error: message })}\r\n`;
  }
}

/** A source that fails cuts the connection, so that the client does not take a part for the whole. */
async function pump(
  response: ServerResponse,
  chunks: AsyncIterable<string | Buffer>,
  signal: AbortSignal,
): Promise<void> {
  response.flushHeaders();
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await unlessAborted(iterator.next(), signal, { done: true as const, value: undefined });
      if (next.done === true) break;
      if (!response.write(next.value)) await unlessAborted(once(response, 'drain', { signal }), signal, []);
    }
    response.end();
  } catch (error) {
    response.destroy();
    throw error;
  } finally {
    if (signal.aborted) void iterator.return?.().catch(() => undefined);
  }
}
