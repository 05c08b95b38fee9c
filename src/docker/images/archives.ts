/** Images in archives: loaded from the body of a request, saved into an answer, made of a root filesystem. */
import type { IncomingMessage } from 'node:http';
import type { TransferEvent } from '../../api/images/transfer-event.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { familiarRepository, parseImageReference } from '../../model/image-reference.ts';
import { own } from '../../model/own.ts';
import type { DockerParts } from '../docker-parts.ts';
import { DockerError } from '../wire/docker-error.ts';
import { streamOfUpload } from '../wire/upload.ts';
import { amountLine, type ProgressLine, stepLine } from './progress-line.ts';
import { type FoundImage, findImage } from './references.ts';
import { begun, failureOf } from './transfer.ts';

type Parts = Pick<DockerParts, 'api' | 'tmpDir'>;

/** Messages are for one who sent a body and knows no path. */
const withoutPath =
  (path: string) =>
  (error: TsdError): TsdError =>
    new TsdError(error.code, error.message.replaceAll(path, 'the body'), { class: error.class, hint: error.hint });

/** As Docker answers: what is no archive of images is said in a line. */
export function load(
  { api, tmpDir }: Parts,
  request: IncomingMessage,
  quiet: boolean,
  signal: AbortSignal,
): Promise<AsyncIterable<ProgressLine>> {
  return streamOfUpload(request, tmpDir, async (path) => {
    const events = api.load(path, signal) as AsyncIterable<TransferEvent>;
    return loadLines(events, quiet, withoutPath(path));
  });
}

async function* loadLines(
  events: AsyncIterable<TransferEvent>,
  quiet: boolean,
  worded: (error: TsdError) => TsdError,
): AsyncGenerator<ProgressLine> {
  for await (const event of events) {
    const failure = failureOf(event);
    if (failure !== null) throw worded(failure);
    if (event.type === 'result') yield { stream: `${event.message}\n` };
    if (quiet || event.type !== 'progress' || event.part?.step !== 'layer') continue;
    const { state, item } = event.part;
    if (state === 'unpacking') yield amountLine('Loading layer', item, event.current, event.total);
    else yield stepLine(state === 'exists' ? 'Layer already exists' : 'Loaded layer', item);
  }
}

export interface ImportAsked {
  /** `repository[:tag]`; empty for none. */
  readonly name: string;
  readonly changes: readonly string[];
  readonly message: string;
}

/** Makes an image of the tar of a root filesystem, which is the body. */
export function importBody(
  { api, tmpDir }: Parts,
  request: IncomingMessage,
  asked: ImportAsked,
  signal: AbortSignal,
): Promise<AsyncIterable<ProgressLine>> {
  return streamOfUpload(request, tmpDir, async (path) => {
    const { events } = await begun(
      api.imageFiles.import({ path, ...asked }, signal),
      (event) => event.type === 'result',
      withoutPath(path),
    );
    return (async function* () {
      yield { status: idIn(await resultOf(events)) };
    })();
  });
}

/** The message of what a call has done. @throws TsdError its failure */
export async function resultOf(events: AsyncIterable<TransferEvent>): Promise<string> {
  let result = '';
  for await (const event of events) {
    const failure = failureOf(event);
    if (failure !== null) throw failure;
    if (event.type === 'result') result = event.message;
  }
  return result;
}

/** `sha256:…` of the image that was made. @throws TsdError where the call was called off */
export function idIn(result: string): string {
  const [id] = /sha256:[0-9a-f]{64}$/.exec(result) ?? [];
  if (id === undefined) throw new TsdError('TSD_TIMEOUT', 'the image was not made: the call was called off');
  return id;
}

/** Names as {@link DockerParts.archive} takes them: a repository alone means all its tags. @throws DockerError 404, 400 */
/** Its absence is said with the name as it was asked for. @throws DockerError */
function savedImage(known: Pick<DockerParts, 'images' | 'repositories'>, text: string): FoundImage {
  try {
    return findImage(known, text);
  } catch (thrown) {
    if (thrown instanceof DockerError && thrown.status === 404) throw new DockerError(404, `No such image: ${text}`);
    throw thrown;
  }
}

export function namesToSave(
  { images, repositories }: Pick<DockerParts, 'images' | 'repositories'>,
  texts: readonly string[],
) {
  return texts.map((text) => {
    const parsed = parseImageReference(text);
    const isBare = parsed.ok && !/[:@][^/]*$/.test(text);
    if (isBare && own(repositories.all(), familiarRepository(parsed.value))) return familiarRepository(parsed.value);
    const { id, name } = savedImage({ images, repositories }, text);
    return name ?? id;
  });
}
