/** Pushes images, and says how far they are in Docker's words. */
import type { CredentialsView } from '../../api/images/registry-views.ts';
import type { TransferEvent } from '../../api/images/transfer-event.ts';
import type { TsdError } from '../../model/errors/errors.ts';
import { familiarRepository, formatReference, type ImageReference } from '../../model/image-reference.ts';
import { own } from '../../model/own.ts';
import type { ProgressPart } from '../../model/progress.ts';
import type { DockerParts } from '../docker-parts.ts';
import { DockerError } from '../wire/docker-error.ts';
import { amountLine, type ProgressLine, statusLine, stepLine } from './progress-line.ts';
import { failureOf } from './transfer.ts';

type Progress = Extract<TransferEvent, { type: 'progress' }>;
type Parts = Pick<DockerParts, 'api' | 'images' | 'repositories'>;

/** @param hasTag else all tags of the repository that are here */
export function push(
  { api, images, repositories }: Parts,
  reference: ImageReference,
  hasTag: boolean,
  credentials: CredentialsView,
  signal: AbortSignal,
): AsyncIterable<ProgressLine> {
  const repository = familiarRepository(reference);
  const tags = hasTag ? [reference.tag ?? ''] : Object.keys(own(repositories.all(), repository) ?? {}).sort();
  const ids = tags.map((tag) => repositories.get({ repository, tag }));
  return (async function* () {
    yield statusLine(`The push refers to repository [${reference.registry}/${reference.repository}]`);
    if (ids.length === 0 || ids.includes(null)) {
      throw new DockerError(404, `An image does not exist locally with the tag: ${repository}`);
    }
    for (const [at, tag] of tags.entries()) {
      const layers = images.get(ids[at] ?? '')?.Tsdocker?.Layers ?? [];
      for (const { DiffId } of layers.toReversed()) yield stepLine('Preparing', shortId(DiffId));
      const events = api.registry.push(
        { reference: formatReference({ ...reference, tag, digest: null }), credentials },
        signal,
      );
      yield* pushLines(events, reference, tag);
    }
  })();
}

async function* pushLines(
  events: AsyncIterable<TransferEvent>,
  reference: ImageReference,
  tag: string,
): AsyncGenerator<ProgressLine> {
  for await (const event of events) {
    const failure = failureOf(event);
    if (failure !== null) throw pushError(failure, reference);
    if (event.type === 'progress' && event.part !== undefined) yield* lines(event, event.part, tag);
  }
}

function pushError(error: TsdError, reference: ImageReference): Error {
  if (error.code !== 'TSD_REGISTRY_DENIED') return error;
  const said = `push access denied for ${familiarRepository(reference)}, repository does not exist or may require authorization`;
  return new DockerError(403, `${said}: ${error.message}`);
}

function* lines({ current, total }: Progress, part: ProgressPart, tag: string): Generator<ProgressLine> {
  if (part.step === 'upload') {
    const id = shortId(part.item);
    if (part.state === 'sending') yield amountLine('Pushing', id, current, total);
    else yield stepLine(part.state === 'mounted' ? `Mounted from ${part.from ?? ''}` : ENDS[part.state], id);
  }
  if (part.step === 'manifest') {
    yield statusLine(`${tag}: digest: ${part.item} size: ${part.size}`);
    yield { progressDetail: {}, aux: { Tag: tag, Digest: part.item, Size: part.size } };
  }
}

const ENDS = { exists: 'Layer already exists', sent: 'Pushed' } as const;

const shortId = (digest: string): string => digest.replace(/^sha256:/, '').slice(0, 12);
