/**
 * Streams of JSON objects, one a line. The answer's status is held back until the first item is there, so that a call
 * that fails at once is an HTTP error; a later failure is a last line `{"streamError": TsdErrorJson}`. A stream that ends
 * without the end of its HTTP body was cut off.
 */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { TsdError, toTsdError } from '../model/errors/errors.ts';
import { errorFromJson } from './http-errors.ts';
import { endedBy } from './open-requests.ts';

const NEWLINE = 0x0a;
const HEADERS = { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' };

/**
 * Writes items as fast as the peer reads them. When `signal` aborts it ends, also when the source does not: quietly, or with
 * the error for which the server ended it.
 * @throws what the source throws, or the server, before the first item.
 */
export async function writeNdjson(
  response: ServerResponse,
  items: AsyncIterable<unknown>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  const nextItem = () => unlessAborted(iterator.next(), signal, { done: true as const, value: undefined });
  let next = await nextItem();
  const unsent = endedBy(signal);
  if (unsent !== null) {
    void iterator.return?.().catch(() => undefined);
    throw unsent;
  }
  if (!signal.aborted) response.writeHead(200, HEADERS);
  try {
    while (next.done !== true) {
      const flowing = response.write(`${JSON.stringify(next.value)}\n`);
      if (!flowing) await unlessAborted(once(response, 'drain', { signal }), signal, []);
      next = await nextItem();
    }
  } catch (thrown) {
    if (!signal.aborted) response.write(lastLine(toTsdError(thrown)));
  } finally {
    const ended = endedBy(signal);
    if (ended !== null) response.write(lastLine(ended));
    if (signal.aborted) void iterator.return?.().catch(() => undefined);
    response.end();
  }
}

function lastLine(streamError: TsdError): string {
  return `${JSON.stringify({ streamError })}\n`;
}

/**
 * What the work resolves with, or `instead` as soon as the signal aborts. Nothing of the work is kept by the signal after
 * that: a race with one promise for the whole stream would keep every item for as long as the stream lasts.
 */
export function unlessAborted<T, Instead>(
  work: Promise<T>,
  signal: AbortSignal,
  instead: Instead,
): Promise<T | Instead> {
  return new Promise((resolve, reject) => {
    const give = (): void => resolve(instead);
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', give));
  });
}

/** @throws TsdError what the server said in the stream, or what `body` throws when it was cut off. */
export async function* readNdjson<T>(body: AsyncIterable<Buffer>): AsyncGenerator<T, void, undefined> {
  let rest: Buffer[] = [];
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([...rest, chunk.subarray(start, end)]);
      rest = [];
      start = end + 1;
      yield parseLine<T>(line.toString('utf8'));
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
}

function parseLine<T>(line: string): T {
  const value = JSON.parse(line) as T | { streamError: unknown };
  if (typeof value === 'object' && value !== null && 'streamError' in value) {
    throw errorFromJson(value.streamError) ?? new TsdError('TSD_BUG', 'the supervisor sent a malformed error');
  }
  return value as T;
}

export function connectionLost(cause?: unknown): TsdError {
  return new TsdError('TSD_NO_SUPERVISOR', 'the connection to the supervisor was lost', {
    hint: 'Containers keep running; `tsdocker get` shows it when the supervisor is back.',
    cause,
  });
}
