/** Server-sent events (HTML standard, "text/event-stream"): a browser takes the stream up again by itself. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';

export interface ServerEvent {
  readonly event: string;
  readonly data: unknown;
}

/** Keeps a quiet connection from being taken for dead. */
const HEARTBEAT_MS = 15_000;

/** Writes events as fast as the browser takes them, until they end or it is gone. JSON holds no line breaks. */
export async function sendEvents(
  response: ServerResponse,
  events: AsyncIterable<ServerEvent>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
  const heartbeat = setInterval(() => response.write(':\n\n'), HEARTBEAT_MS);
  try {
    for await (const { event, data } of events) {
      if (signal.aborted) return;
      if (response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)) continue;
      await once(response, 'drain', { signal }).catch(() => undefined);
    }
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}
