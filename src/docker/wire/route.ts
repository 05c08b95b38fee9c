/** A route is data: method, path, the API version that has it first, and what answers it. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { DockerParts } from '../docker-parts.ts';
import { DockerError } from './docker-error.ts';
import type { Query } from './query.ts';
import type { ApiMinor } from './versions.ts';

export interface DockerCall {
  readonly docker: DockerParts;
  /** What the client speaks: the answer has the shape of that version. */
  readonly minor: ApiMinor;
  /** Decoded parts of the path. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly request: IncomingMessage;
  /** Uid of the process that asks; null where it is not known. */
  readonly uid: number | null;
  /** How the client calls itself; `a Docker client` where it says nothing. */
  readonly client: string;
  /** The JSON body, or undefined without one. @throws DockerError 400 */
  readonly readBody: () => Promise<unknown>;
  /** Aborts when the client is gone or the server ends. */
  readonly signal: AbortSignal;
}

/** Raw bytes both ways, once the head of the answer is sent. */
interface Hijacked {
  readonly stream: Duplex;
  /** Aborts when the client is gone altogether; that it sends no more is the end of the stream. */
  readonly signal: AbortSignal;
}

export type DockerReply =
  | { readonly type: 'json'; readonly status: number; readonly value: unknown; readonly headers?: HeadersOf }
  | { readonly type: 'empty'; readonly status: number; readonly headers?: HeadersOf }
  | { readonly type: 'text'; readonly text: string; readonly headers?: HeadersOf }
  /** JSON objects as they come, one a line; the head is sent before the first one. */
  | { readonly type: 'lines'; readonly items: AsyncIterable<unknown>; readonly contentType?: string }
  /** Bytes as they come; the head is sent before the first ones. */
  | { readonly type: 'bytes'; readonly chunks: AsyncIterable<Buffer>; readonly headers: HeadersOf }
  /** Resolves when all is said; the connection is closed then. */
  | { readonly type: 'hijack'; readonly contentType: string; readonly run: (hijacked: Hijacked) => Promise<void> }
  /** The same in messages of a WebSocket, for which the request asked. */
  | {
      readonly type: 'websocket';
      readonly head: string;
      readonly messages: 'text' | 'binary';
      readonly run: (hijacked: Hijacked) => Promise<void>;
    };

type HeadersOf = Readonly<Record<string, string>>;

export interface DockerRoute {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** `{id}` is one part of the path; `{name+}` takes several, as names of images have them. */
  readonly path: string;
  /** Minor number of the version that has it first. */
  readonly since?: ApiMinor;
  readonly answer: (call: DockerCall) => Promise<DockerReply> | DockerReply;
}

export const json = (value: unknown, status = 200): DockerReply => ({ type: 'json', status, value });

export function route(
  method: DockerRoute['method'],
  path: string,
  answer: DockerRoute['answer'],
  since?: ApiMinor,
): DockerRoute {
  return { method, path, answer, ...(since !== undefined && { since }) };
}

export function param({ params }: DockerCall, name: string): string {
  const value = params[name] ?? '';
  if (value.includes('\0')) throw new DockerError(400, `invalid ${name}`);
  return value;
}
