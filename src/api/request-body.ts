import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { RequestError } from './http-errors.ts';

const MAX_BODY_BYTES = 16 * 1024 * 1024;

/**
 * Reads a JSON body of at most 16 MiB; no body is the empty object.
 * @throws RequestError 413 for a larger one, 408 for one that takes longer than `withinMs`, 400 for what is not JSON or was cut off.
 */
export async function readJsonBody(request: IncomingMessage, withinMs: number): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const error = new RequestError(408, `the body was not complete within ${withinMs} ms`);
    timer = setTimeout(reject, withinMs, error);
  });
  const bytes = await Promise.race([readBytes(request), late]).finally(() => clearTimeout(timer));
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new RequestError(400, 'the body is not JSON');
  }
}

async function readBytes(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = () => new RequestError(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > MAX_BODY_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof RequestError) throw error;
    throw new RequestError(400, 'the body ended before it was complete');
  }
  return Buffer.concat(chunks);
}

/** @throws RequestError 400 that lists every wrong member. */
export function validate<T>(schema: z.ZodType<T>, value: unknown, what: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues
    .slice(0, 20)
    .map((issue) => `${[what, ...issue.path].join('.')}: ${issue.message}`);
  throw new RequestError(400, problems.join('; '));
}
