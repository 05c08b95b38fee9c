/** A route is data: method, path pattern, and what answers it. */
import type { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import { validate } from '../request-body.ts';
import type { ServedApi } from '../served.ts';

export type Reply =
  | { readonly type: 'json'; readonly value: unknown }
  /** 204: done, nothing to say. */
  | { readonly type: 'done' }
  | { readonly type: 'stream'; readonly items: AsyncIterable<unknown> };

export interface ApiRequest {
  readonly api: ServedApi;
  /** Decoded parameters of the path. */
  readonly params: Readonly<Record<string, string | undefined>>;
  readonly query: Readonly<Record<string, string>>;
  /** Uid of the process that asks; null where the connection does not tell. */
  readonly peerUid: () => number | null;
  readonly readBody: () => Promise<unknown>;
  /** Aborts when the client is gone or the server ends. */
  readonly signal: AbortSignal;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Below the API's prefix, in find-my-way's syntax. */
  readonly path: string;
  readonly answer: (request: ApiRequest) => Promise<Reply> | Reply;
  /** A supervisor that ends waits for it, as long as it waits for jobs; others are ended at once. */
  readonly finishes?: true;
}

export function json(value: unknown): Reply {
  return { type: 'json', value };
}

export const DONE: Reply = { type: 'done' };

export function stream(items: AsyncIterable<unknown>): Reply {
  return { type: 'stream', items };
}

export function get(path: string, answer: Route['answer']): Route {
  return { method: 'GET', path, answer };
}

/** A route whose JSON body is checked before its handler sees it. */
export function post<T>(
  path: string,
  schema: z.ZodType<T>,
  answer: (body: T, request: ApiRequest) => Promise<Reply> | Reply,
): Route {
  return {
    method: 'POST',
    path,
    answer: async (request) => answer(validate(schema, await request.readBody(), 'body'), request),
  };
}

export function finishing(route: Route): Route {
  return { ...route, finishes: true };
}

/** A parameter that the route's path declares. */
export function param(request: ApiRequest, name: string): string {
  const value = request.params[name];
  if (value === undefined || value === '') throw new TsdError('TSD_BAD_REQUEST', `the path lacks ${name}`);
  if (value.includes('\0')) throw new TsdError('TSD_BAD_REQUEST', `${name} must not contain a zero byte`);
  return value;
}
