/** Builds an image from a context that is the body of the request: the classic builder. */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { CredentialsView } from '../../../api/images/registry-views.ts';
import type { TsdError } from '../../../model/errors/errors.ts';
import { own } from '../../../model/own.ts';
import type { DockerParts } from '../../docker-parts.ts';
import { DockerError } from '../../wire/docker-error.ts';
import type { Query } from '../../wire/query.ts';
import { streamOfUpload } from '../../wire/upload.ts';
import { registryOf } from '../auth.ts';
import type { ProgressLine } from '../progress-line.ts';
import { findImage } from '../references.ts';
import { authConfig, credentialsOf } from '../registry-auth.ts';
import { begun } from '../transfer.ts';
import { buildLines, quietLines, withoutPlace } from './build-lines.ts';
import { buildRequest } from './build-request.ts';

/** Clients of this version and later get the id as an object too. */
const AUX_SINCE = 30;

/**
 * Resolves when the Dockerfile is read and the build begins.
 * @throws DockerError 400 for a context or Dockerfile that cannot be read, 501 for what the builder does not have
 */
export function build(
  { api, tmpDir, ...known }: Pick<DockerParts, 'api' | 'tmpDir' | 'images' | 'repositories'>,
  request: IncomingMessage,
  query: Query,
  { minor, signal }: { readonly minor: number; readonly signal: AbortSignal },
): Promise<AsyncIterable<ProgressLine>> {
  const logins = readLogins(request.headers['x-registry-config']);
  // What is wrong with the parameters is said before the body is taken.
  const asked = buildRequest(query, '/', logins, (name) => isImage(known, name));
  return streamOfUpload(request, tmpDir, async (path) => {
    const { events } = await begun(
      api.builds.build({ ...asked, context: { type: 'archive', path } }, signal),
      (event) => event.type === 'plan',
      (error) => startError(error, asked.dockerfile),
    );
    return query.flag('q') ? quietLines(events) : buildLines(events, minor >= AUX_SINCE);
  });
}

function isImage(known: Pick<DockerParts, 'images' | 'repositories'>, name: string): boolean {
  try {
    findImage(known, name);
    return true;
  } catch (thrown) {
    if (thrown instanceof DockerError) return false;
    throw thrown;
  }
}

/** A failure before the first step, in the words of Docker. */
function startError(error: TsdError, dockerfile: string): Error {
  if (error.code === 'TSD_BUILD_CONTEXT' && error.message.includes('has no file')) {
    return new DockerError(400, `Cannot locate specified Dockerfile: ${dockerfile}`);
  }
  if (error.code !== 'TSD_DOCKERFILE') return error;
  const message = withoutPlace(error).split('\n', 1)[0] ?? '';
  const [, keyword] = /^(\S+) is no instruction$/.exec(message) ?? [];
  const said = keyword === undefined ? message : `unknown instruction: ${keyword}`;
  return new DockerError(400, `dockerfile parse error on line ${error.source?.line ?? 1}: ${said}`);
}

/** Logins by registry. What cannot be read is none, as with Docker. */
function readLogins(header: string | readonly string[] | undefined): Record<string, NonNullable<CredentialsView>> {
  const [text = ''] = [header ?? ''].flat();
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
  } catch {
    return {};
  }
  const parsed = z.record(z.string(), authConfig).safeParse(value);
  if (!parsed.success) return {};
  return Object.fromEntries(
    Object.keys(parsed.data).flatMap((address) => {
      const config = own(parsed.data, address);
      const credentials = config === undefined ? null : credentialsOf(config);
      return credentials === null ? [] : [[registryOf(address), credentials]];
    }),
  );
}
