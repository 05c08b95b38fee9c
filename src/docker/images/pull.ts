/** Pulls images, and says how far they are in Docker's words. */
import type { CredentialsView } from '../../api/images/registry-views.ts';
import type { TransferEvent } from '../../api/images/transfer-event.ts';
import type { TsdError } from '../../model/errors/errors.ts';
import { familiarRepository, formatReference, type ImageReference } from '../../model/image-reference.ts';
import type { DockerParts } from '../docker-parts.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type ProgressLine, statusLine } from './progress-line.ts';
import { PulledLayers } from './pulled-layers.ts';
import { begun, failureOf } from './transfer.ts';

type Parts = Pick<DockerParts, 'api' | 'repositories'>;

export interface PullAsked {
  readonly platform: string | null;
  readonly credentials: CredentialsView;
  readonly signal: AbortSignal;
}

/** @throws DockerError 404 in the words that clients look for */
function pullError(error: TsdError, reference: ImageReference): Error {
  const name = formatReference(reference);
  if (error.code === 'TSD_REGISTRY_DENIED' && error.class === 'denied') {
    const repository = familiarRepository(reference);
    const said = `pull access denied for ${repository}, repository does not exist or may require 'docker login'`;
    return new DockerError(404, `${said}: ${error.message}`);
  }
  if (error.code === 'TSD_REGISTRY_NOT_FOUND') {
    return new DockerError(404, `manifest for ${name} not found: manifest unknown: manifest unknown`);
  }
  return error;
}

/** Resolves when the registry has answered for the image. @throws DockerError, TsdError for one that cannot be had */
export async function pull(
  { api, repositories }: Parts,
  reference: ImageReference,
  { signal, ...asked }: PullAsked,
): Promise<AsyncIterable<ProgressLine>> {
  const name = { repository: familiarRepository(reference), tag: reference.tag ?? '' };
  const before = reference.tag === null ? null : repositories.get(name);
  const { events } = await begun(
    api.registry.pull({ reference: formatReference(reference), ...asked }, signal),
    (event) => event.type !== 'progress' || event.part !== undefined,
    (error) => pullError(error, reference),
  );
  return pullLines(events, reference, () => before !== null && repositories.get(name) === before);
}

/** Pulls all tags of a repository, one after the other. @throws as {@link pull} */
export async function pullAll(
  parts: Parts,
  reference: ImageReference,
  asked: PullAsked,
): Promise<AsyncIterable<ProgressLine>> {
  const repository = { ...reference, tag: null, digest: null };
  const tags = await Promise.resolve(
    parts.api.registry.tags(formatReference(repository), asked.credentials, asked.signal),
  ).catch((error: TsdError) => {
    throw pullError(error, repository);
  });
  if (tags.length === 0) throw new DockerError(404, `${formatReference(repository)} has no tags`);
  return (async function* () {
    for (const tag of tags) yield* await pull(parts, { ...repository, tag }, asked);
  })();
}

/** @param isSame asked at the end: the name means the image that it did before */
async function* pullLines(
  events: AsyncIterable<TransferEvent>,
  reference: ImageReference,
  isSame: () => boolean,
): AsyncGenerator<ProgressLine> {
  const { repository, tag, digest } = reference;
  yield statusLine(`Pulling from ${repository}`, digest === null ? (tag ?? '') : `sha256:${digest}`);
  const layers = new PulledLayers();
  let found: string | null = null;
  for await (const event of events) {
    const failure = failureOf(event);
    if (failure !== null) throw pullError(failure, reference);
    if (event.type !== 'progress' || event.part === undefined) continue;
    if (event.part.step === 'manifest') found = event.part.item;
    yield* layers.lines(event, event.part);
  }
  if (found !== null) yield statusLine(`Digest: ${found}`);
  const name = formatReference(reference);
  yield statusLine(isSame() ? `Status: Image is up to date for ${name}` : `Status: Downloaded newer image for ${name}`);
}
