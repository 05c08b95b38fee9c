/** Reads JSON bodies as Docker does. */
import type { IncomingMessage } from 'node:http';
import { DockerError } from './docker-error.ts';

/** A seccomp profile in line and thousands of labels stay below it. */
const MAX_BYTES = 16 * 1024 * 1024;
/** A body whose sender is silent for so long is given up. */
const SILENT_MS = 30_000;

/** Parses what was sent as JSON; undefined where nothing was. @throws DockerError 400 */
export function parseBody(bytes: Buffer, contentType: string | undefined): unknown {
  if (bytes.length === 0) return undefined;
  const [type = ''] = (contentType ?? '').split(';');
  if (type.trim().toLowerCase() !== 'application/json')
    throw new DockerError(400, `unsupported Content-Type header (${contentType ?? ''}): must be 'application/json'`);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new DockerError(400, `invalid JSON: ${(error as Error).message}`);
  }
}

/** @throws DockerError 400 for a body that is cut off or not JSON, 413 for one larger than 16 MiB */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  const silent = setTimeout(() => request.destroy(), SILENT_MS);
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      silent.refresh();
      length += chunk.length;
      if (length > MAX_BYTES) throw new DockerError(413, `the body is larger than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof DockerError ? error : new DockerError(400, 'the body ended before it was complete');
  } finally {
    clearTimeout(silent);
  }
  return parseBody(Buffer.concat(chunks), request.headers['content-type']);
}
