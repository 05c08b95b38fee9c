/** The stream of a build in the words of the classic builder. */
import type { BuildEvent } from '../../../api/images/build.ts';
import type { TsdError } from '../../../model/errors/errors.ts';
import type { ProgressLine } from '../progress-line.ts';
import { PulledLayers } from '../pulled-layers.ts';
import { failureOf } from '../transfer.ts';

const shortId = (id: string): string => id.slice(0, 12);
/** As the classic builder marks what a command writes to stderr. */
const RED = '\u001b[91m';
const PLAIN = '\u001b[0m';

const stream = (text: string): ProgressLine => ({ stream: text });

/** What a RUN that fails leaves to say. */
interface Exited {
  readonly command: readonly string[];
  readonly code: number;
}

/** The last line of a stream: what went wrong. */
function errorLine(message: string, code?: number): ProgressLine {
  return { errorDetail: { ...(code !== undefined && { code }), message }, error: message };
}

class BuildLines {
  readonly #pulled = new PulledLayers();
  /** Containers of steps that run, by step. */
  readonly #running = new Map<string, string>();
  readonly #hasAux: boolean;
  #steps = 0;
  #begun = 0;
  #exited: Exited | null = null;

  constructor(hasAux: boolean) {
    this.#hasAux = hasAux;
  }

  *lines(event: BuildEvent): Generator<ProgressLine> {
    switch (event.type) {
      case 'plan':
        this.#steps = event.steps;
        return;
      case 'from':
        yield* this.#step(event.message);
        return;
      case 'step':
        yield* this.#step(event.message);
        if (event.cached) yield stream(' ---> Using cache\n');
        return;
      case 'running':
        this.#running.set(event.resource, event.id);
        yield stream(` ---> Running in ${shortId(event.id)}\n`);
        return;
      case 'exited':
        this.#exited = event;
        return;
      case 'output':
        yield stream(event.stream === 'stderr' ? `${RED}${event.text}${PLAIN}` : event.text);
        return;
      case 'made':
        yield* this.#ended(event.resource);
        yield stream(` ---> ${shortId(event.id ?? '')}\n`);
        return;
      case 'warning':
        yield stream(`[Warning] ${event.message}\n`);
        return;
      case 'progress':
        if (event.part !== undefined) yield* this.#pulled.lines(event, event.part);
        return;
      case 'built':
        if (this.#hasAux) yield { aux: { ID: `sha256:${event.id}` } };
        yield stream(`Successfully built ${shortId(event.id)}\n`);
        for (const tag of event.tags) yield stream(`Successfully tagged ${tag}\n`);
        return;
      case 'failed':
        yield this.#failure(failureOf(event) as TsdError);
        return;
    }
  }

  *#step(message: string): Generator<ProgressLine> {
    // Triggers of the image below come to what the Dockerfile has.
    this.#begun += 1;
    this.#steps = Math.max(this.#steps, this.#begun);
    yield stream(`Step ${this.#begun}/${this.#steps} : ${message}`);
    yield stream('\n');
  }

  *#ended(step: string): Generator<ProgressLine> {
    const id = this.#running.get(step);
    this.#running.delete(step);
    if (id !== undefined) yield stream(` ---> Removed intermediate container ${shortId(id)}\n`);
  }

  #failure(error: TsdError): ProgressLine {
    if (error.code !== 'TSD_BUILD_RUN' || this.#exited === null) return errorLine(withoutPlace(error));
    const { command, code } = this.#exited;
    return errorLine(`The command '${command.join(' ')}' returned a non-zero code: ${code}`, code);
  }
}

/** The message without the position before it, which Docker has nowhere. */
export function withoutPlace({ message, source }: TsdError): string {
  const place = source === undefined ? '' : `${source.file}:${source.line}:${source.column}: `;
  return message.startsWith(place) ? message.slice(place.length) : message;
}

/** @param hasAux clients of version 1.30 and later get the id as an object too */
export async function* buildLines(events: AsyncIterable<BuildEvent>, hasAux: boolean): AsyncGenerator<ProgressLine> {
  const lines = new BuildLines(hasAux);
  for await (const event of events) yield* lines.lines(event);
}

/** Lines kept of a build that is asked to be quiet, for the case that it fails. */
const KEPT_LINES = 1_000;

/** Only the id; where it fails, also what led to that. */
export async function* quietLines(events: AsyncIterable<BuildEvent>): AsyncGenerator<ProgressLine> {
  const lines = new BuildLines(false);
  const kept: ProgressLine[] = [];
  for await (const event of events) {
    if (event.type === 'built') yield stream(`sha256:${event.id}\n`);
    if (event.type === 'failed') yield* kept;
    for (const line of lines.lines(event)) {
      if (event.type === 'failed') yield line;
      else if (kept.push(line) > KEPT_LINES) kept.shift();
    }
  }
}
