/** The Docker API of the supervisor from another process: what commands ask that are those of Docker's client. */
import { TsdError } from '../../model/errors/errors.ts';
import { parseHost } from '../address.ts';
import { readNdjson } from '../ndjson.ts';
import { type Call, exchange, exchangeJson } from '../transport.ts';
import { objectPath } from './paths.ts';
import { attachTo, type DockerStreams } from './streams.ts';

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** @param host `unix:///path`. @throws TsdError TSD_FLAG for what is no address of a client. */
export function socketOf(host: string): string {
  const address = parseHost(host);
  if (address.type === 'unix') return address.path;
  throw new TsdError('TSD_FLAG', `${host} is for the daemon; a client needs unix:///path`);
}

/** Every call throws TsdError, as those of the supervisor's client do. */
export class DockerClient {
  readonly #socketPath: string;

  /** @param host `unix:///path`. @throws TsdError TSD_FLAG for what is no address of a client. */
  constructor(host: string) {
    this.#socketPath = socketOf(host);
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.#json({ method: 'GET', path: withQuery(path, query) });
  }

  post<T = void>(path: string, query: Query = {}, body?: unknown): Promise<T> {
    return this.#json({ method: 'POST', path: withQuery(path, query), ...(body !== undefined && { body }) });
  }

  /** The exit code of a container. @param signal that the answer is wanted no more: the connection would hold the process */
  async exitCode(name: string, condition: string, signal: AbortSignal): Promise<number> {
    const path = withQuery(objectPath('containers', name, '/wait'), { condition });
    return (await this.#json<{ StatusCode: number }>({ method: 'POST', path, signal })).StatusCode;
  }

  delete(path: string, query: Query = {}): Promise<void> {
    return this.#json({ method: 'DELETE', path: withQuery(path, query) });
  }

  /** JSON objects, one a line, as they come. */
  async *progress<T>(path: string, query: Query = {}): AsyncGenerator<T, void, undefined> {
    const body = await exchange(this.#socketPath, { method: 'POST', path: withQuery(path, query), prefix: '' });
    yield* readNdjson<T>(body);
  }

  /** Input and output of a container, also of one that is not started yet. @param tty it has a terminal */
  attach(name: string, query: Query, tty: boolean): Promise<DockerStreams> {
    return attachTo(this.#socketPath, withQuery(objectPath('containers', name, '/attach'), query), tty);
  }

  #json<T>(call: Omit<Call, 'prefix'>): Promise<T> {
    return exchangeJson(this.#socketPath, { ...call, prefix: '' });
  }
}

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  if (given.length === 0) return path;
  return `${path}?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]))}`;
}
