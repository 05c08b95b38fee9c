/** The read-only page: three kinds of files, and two streams that they are filled from. */
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type HttpRequest, sendText } from '../../api/http-listener.ts';
import type { LogEntry, LogOptions } from '../../api/requests.ts';
import type { EventView } from '../../api/views/explain-views.ts';
import { toTsdError } from '../../model/errors/errors.ts';
import type { SupervisorEventBus } from '../events.ts';
import { type ServerEvent, sendEvents } from './event-stream.ts';
import type { Overview } from './overview.ts';

export interface WebPageOptions {
  /** The directory of the files the browser gets, with a slash at the end. */
  readonly page: URL;
  readonly overview: () => Overview;
  readonly events: SupervisorEventBus;
  /** The latest events, oldest first, and with the signal those that come. */
  readonly timeline: (signal: AbortSignal) => AsyncIterable<EventView>;
  readonly logs: (name: string, options: LogOptions, signal: AbortSignal) => AsyncIterable<LogEntry>;
}

/** Nothing from elsewhere, nothing inline, and no frame around it: what a container writes cannot run here. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const FILES: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  '/': { file: 'index.html', type: 'text/html' },
  '/style.css': { file: 'style.css', type: 'text/css' },
  '/icon.svg': { file: 'icon.svg', type: 'image/svg+xml' },
  '/app.js': { file: 'app.js', type: 'text/javascript' },
  '/dom.js': { file: 'dom.js', type: 'text/javascript' },
  '/graph.js': { file: 'graph.js', type: 'text/javascript' },
  '/views.js': { file: 'views.js', type: 'text/javascript' },
};

/** Entries of a log that are shown at once. */
const LOG_TAIL = 300;
const RECHECK_MS = 1_000;
/** Least time between two looks for one page. */
const INTERVAL_MS = 200;

export class WebPage {
  readonly #options: WebPageOptions;
  readonly #files: ReadonlyMap<string, { readonly type: string; readonly content: Buffer }>;

  constructor(options: WebPageOptions) {
    this.#options = options;
    this.#files = new Map(
      Object.entries(FILES).map(([path, { file, type }]) => [
        path,
        { type: `${type}; charset=utf-8`, content: readFileSync(new URL(file, options.page)) },
      ]),
    );
  }

  readonly answer = async ({ path, query, signal }: HttpRequest, response: ServerResponse): Promise<void> => {
    response.setHeader('content-security-policy', POLICY);
    response.setHeader('x-frame-options', 'DENY');
    const found = this.#files.get(path);
    if (found) {
      response.writeHead(200, { 'content-type': found.type, 'content-length': found.content.length });
      response.end(found.content);
    } else if (path === '/api/state') await sendEvents(response, this.#state(signal), signal);
    else if (path === '/api/events') await sendEvents(response, this.#timeline(signal), signal);
    else if (path === '/api/logs') await sendEvents(response, this.#log(query.get('name') ?? '', signal), signal);
    else sendText(response, 404, 'there is nothing here');
  };

  async *#state(signal: AbortSignal): AsyncGenerator<ServerEvent> {
    let shown = '';
    while (!signal.aborted) {
      const now = this.#options.overview();
      const text = JSON.stringify(now);
      if (text !== shown) yield { event: 'state', data: now };
      shown = text;
      await this.#options.events.nextChange(RECHECK_MS, signal);
      await delay(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async *#timeline(signal: AbortSignal): AsyncGenerator<ServerEvent> {
    for await (const entry of this.#options.timeline(signal)) yield { event: 'entry', data: entry };
  }

  async *#log(name: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    const options = { follow: true, tail: LOG_TAIL, sinceMs: null, untilMs: null, stdout: true, stderr: true };
    try {
      for await (const entry of this.#options.logs(name, options, signal)) yield { event: 'line', data: entry };
      yield { event: 'end', data: 'the container has ended' };
    } catch (thrown) {
      yield { event: 'end', data: toTsdError(thrown).message };
    }
  }
}
