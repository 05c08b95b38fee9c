/** Shows a build while it happens. */
import { stripVTControlCharacters } from 'node:util';
import { errorFromJson } from '../../api/http-errors.ts';
import type { BuildEvent } from '../../api/images/build.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { CliContext } from '../context.ts';
import { jsonText } from '../data.ts';
import { printError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { paint, printable } from './text.ts';
import { type TransferProgress, Transfers } from './transfers.ts';

/** `plain` prints every step and the output of commands, `quiet` the id alone, `json` every event. */
export async function followBuild(
  context: CliContext,
  events: AsyncIterable<BuildEvent>,
  form: 'plain' | 'quiet' | 'json',
): Promise<number> {
  let ended = false;
  let failed = false;
  const plain = new PlainBuild(context);
  for await (const event of events) {
    if (form === 'json') context.print(jsonText(event));
    else if (form === 'plain') plain.show(event);
    else if (event.type === 'built') context.print(`sha256:${event.id}`);
    if (event.type === 'ready') ended = true;
    if (event.type !== 'failed') continue;
    failed = true;
    if (form !== 'json') printBuildError(context, event.error);
  }
  if (ended) return EXIT.ok;
  if (!failed) printError(context, new TsdError('TSD_TIMEOUT', 'the build was cancelled'));
  return EXIT.error;
}

class PlainBuild {
  readonly #context: CliContext;
  /** The end of a line that is not complete, by step. */
  readonly #rests = new Map<string, string>();
  readonly #transfers: Transfers;

  constructor(context: CliContext) {
    this.#context = context;
    this.#transfers = new Transfers(context.streams.now);
  }

  show(event: BuildEvent): void {
    if (event.type === 'step') {
      this.#flush();
      const known = event.cached ? this.#dim(' (cached)') : '';
      this.#context.print(`${this.#bold(printable(event.resource))} ${printable(event.message)}${known}`);
    } else if (event.type === 'output') this.#output(event.resource, event.text);
    else if (event.type === 'warning') this.#context.warn(`warning: ${printable(event.message)}`);
    else if (event.type === 'progress') this.#progress(event);
    else this.#flush();
    if (event.type !== 'built') return;
    const names = event.tags.length === 0 ? '' : ` as ${event.tags.join(', ')}`;
    this.#context.print(`built sha256:${event.id}${names}`);
  }

  #output(step: string, text: string): void {
    const lines = `${this.#rests.get(step) ?? ''}${text}`.split('\n');
    this.#rests.set(step, lines.pop() ?? '');
    for (const line of lines) this.#line(step, line);
  }

  #flush(): void {
    for (const [step, rest] of this.#rests) if (rest !== '') this.#line(step, rest);
    this.#rests.clear();
  }

  #line(step: string, line: string): void {
    this.#context.print(`${this.#dim(printable(step))} ${printable(line)}`);
  }

  /** Prints downloads only: layers are written too quickly for a line each. */
  #progress(event: TransferProgress): void {
    const line = event.part?.step === 'download' ? this.#transfers.line(event) : null;
    if (line !== null) this.#context.print(line);
  }

  #dim(text: string): string {
    return paint(this.#context.streams, this.#context.streams.stdout, 'dim', text);
  }

  #bold(text: string): string {
    return paint(this.#context.streams, this.#context.streams.stdout, 'bold', text);
  }
}

/** The message of a failed build has several lines: where it failed, the instruction, what the command wrote. */
function printBuildError(context: CliContext, json: unknown): void {
  const error = errorFromJson(json);
  if (error === null) {
    printError(context, new TsdError('TSD_BUG', 'the supervisor sent a malformed error'));
    return;
  }
  const [first = '', ...more] = error.message.split('\n');
  const label = paint(context.streams, context.streams.stderr, 'red', 'error:');
  const lines = [
    `${label} ${printable(first)} [${error.code}]`,
    ...more.map((line) => stripVTControlCharacters(line).replace(/[^\P{Cc}\t]|\p{Bidi_C}/gu, ' ')),
  ];
  for (const line of lines) context.warn(line);
  if (error.hint !== '') context.warn(`hint: ${printable(error.hint)}`);
}
