/** Shows what `apply`, `delete` and `load` stream, while it happens. */
import type { ApplyEvent } from '../../api/requests.ts';
import type { CliContext } from '../context.ts';
import { fileNoteLines, noteLines } from './plan.ts';
import { paint, plural, printable, type Style } from './text.ts';
import { type TransferProgress, Transfers, transferKey } from './transfers.ts';

type OpEvent = Extract<ApplyEvent, { type: 'op' }>;

const STATUS_STYLE = { started: 'dim', done: 'green', failed: 'red', skipped: 'yellow' } as const satisfies Record<
  OpEvent['status'],
  Style
>;

type ReadyEvent = Extract<ApplyEvent, { type: 'ready' }>;

const READY = 'ready';
const STATE_WIDTH = 'completed'.length;

export interface Progress {
  show(event: ApplyEvent): void;
  /** Leaves the screen tidy, also when the stream broke. */
  end(): void;
}

/**
 * A live region that follows each operation on a terminal; a line for each event elsewhere.
 * @param done the word for the end that is waited for
 */
export function makeProgress(context: CliContext, done = READY): Progress {
  const { stdout, env } = context.streams;
  return stdout.isTTY === true && env.TERM !== 'dumb'
    ? new LiveProgress(context, done)
    : new LineProgress(context, done);
}

function opLine(context: CliContext, event: OpEvent): string {
  const { streams } = context;
  const status = paint(streams, streams.stdout, STATUS_STYLE[event.status], event.status.padEnd(7));
  const time = event.status === 'done' || event.status === 'failed' ? ` (${event.ms} ms)` : '';
  const reason = event.error === undefined ? '' : `: ${printable(event.error.message)}`;
  return `${status} ${printable(event.id)}${time}${reason}`;
}

/** Containers that do not run are listed; the final word is not used when no container has that state. */
function endLines({ generation, running = 0, atRest = [] }: ReadyEvent, done: string): string | null {
  // A job on images belongs to no generation, and its results say what it did.
  if (generation === 0) return null;
  const [first] = atRest;
  const word = done === READY && running === 0 && first !== undefined ? first.state : done;
  const lines = atRest.map(
    ({ resource, state, message }) => `${state.padEnd(STATE_WIDTH)} ${printable(resource)}: ${printable(message)}`,
  );
  return [...lines, `${word}: generation ${generation}`].join('\n');
}

/** The line an event leaves behind, or null when it leaves none. Errors are printed by the command at the end. */
function lastingLine(context: CliContext, event: ApplyEvent, done: string): string | null {
  if (event.type === 'notes') return fileNoteLines(event.notes).join('\n');
  if (event.type === 'accepted') {
    const warnings = noteLines((event.plan.notes ?? []).filter(({ warning }) => warning === true));
    const accepted = `accepted: generation ${event.generation}, ${plural(event.plan.ops.length, 'operation')}`;
    return [...warnings, accepted].join('\n');
  }
  if (event.type === 'result') return printable(event.message);
  if (event.type === 'ready') return endLines(event, done);
  if (event.type === 'op' && event.status !== 'started') return opLine(context, event);
  return null;
}

/** How often a probe has failed by now makes no other wait of it. */
const COUNT = / (?:once|\d+ times)/;

class LineProgress implements Progress {
  readonly #context: CliContext;
  readonly #done: string;
  readonly #said = new Set<string>();
  readonly #transfers: Transfers;

  constructor(context: CliContext, done: string) {
    this.#context = context;
    this.#done = done;
    this.#transfers = new Transfers(context.streams.now);
  }

  show(event: ApplyEvent): void {
    if (this.#failsAgain(event)) return;
    const line = lastingLine(this.#context, event, this.#done) ?? this.#transient(event);
    if (line !== null) this.#context.print(line);
  }

  /** A retried op that fails again in the same way, or is skipped because of that, is printed once. */
  #failsAgain(event: ApplyEvent): boolean {
    if (event.type !== 'op' || (event.status !== 'failed' && event.status !== 'skipped')) return false;
    const failure = `${event.status} ${event.id}\n${event.error?.message}`;
    if (this.#said.has(failure)) return true;
    this.#said.add(failure);
    return false;
  }

  end(): void {}

  /** The wait of a resource is printed once, a transfer occasionally. */
  #transient(event: ApplyEvent): string | null {
    if (event.type === 'progress') {
      const text = this.#transfers.line(event);
      return text === null ? null : `        ${text}`;
    }
    if (event.type !== 'waiting') return null;
    const line = `waiting ${printable(event.resource)}: ${printable(event.message)}`;
    const sameness = line.replace(COUNT, '');
    if (this.#said.has(sameness)) return null;
    this.#said.add(sameness);
    return line;
  }
}

const ERASE_BELOW = '\u001b[J';

class LiveProgress implements Progress {
  readonly #context: CliContext;
  /** What is under way, by operation, resource or transfer, in order of its start. */
  readonly #live = new Map<string, { readonly resource: string; readonly text: string }>();
  readonly #done: string;
  readonly #transfers: Transfers;
  #drawn = 0;

  constructor(context: CliContext, done: string) {
    this.#context = context;
    this.#done = done;
    this.#transfers = new Transfers(context.streams.now);
  }

  show(event: ApplyEvent): void {
    this.#follow(event);
    this.#redraw(lastingLine(this.#context, event, this.#done));
  }

  end(): void {
    this.#live.clear();
    this.#redraw(null);
  }

  #follow(event: ApplyEvent): void {
    if (event.type === 'op' && event.status === 'started') this.#show(event.id, event.id, opLine(this.#context, event));
    else if (event.type === 'op') {
      this.#live.delete(event.id);
      for (const [key, { resource }] of this.#live) if (resource === event.resource) this.#live.delete(key);
    } else if (event.type === 'progress') this.#transfer(event);
    else if (event.type === 'waiting') {
      const text = `waiting ${printable(event.resource)}: ${printable(event.message)}`;
      this.#show(event.resource, event.resource, text);
    }
  }

  /** Each transfer of a resource has its own line until its end; of steps without a count the newest is shown. */
  #transfer(event: TransferProgress): void {
    const text = `        ${this.#transfers.describe(event)}`;
    const { resource, current, total } = event;
    const key = transferKey(event);
    if (total === null && current === 0) this.#show(resource, resource, text);
    else if (total !== null && current >= total) this.#live.delete(key);
    else {
      this.#live.delete(resource);
      this.#show(key, resource, text);
    }
  }

  #show(key: string, resource: string, text: string): void {
    this.#live.set(key, { resource, text });
  }

  /** Writes `line` for good and redraws the live region below it, each cut to the terminal so that counting lines holds. */
  #redraw(line: string | null): void {
    const { stdout } = this.#context.streams;
    const columns = stdout.columns ?? 80;
    const room = Math.max(1, (stdout.rows ?? 24) - 2);
    const region = [...this.#live.values()].slice(0, room).map(({ text }) => cut(text, columns - 1));
    const up = this.#drawn > 0 ? `\u001b[${this.#drawn}A` : '';
    const lasting = line === null ? '' : `${line}\n`;
    stdout.write(`${up}\r${ERASE_BELOW}${lasting}${region.map((text) => `${text}\n`).join('')}`);
    this.#drawn = region.length;
  }
}

/** Cuts to a visible width; a cut line ends its colours. */
function cut(text: string, columns: number): string {
  let visible = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences that paint() makes
  for (const { 0: token, index } of text.matchAll(/\u001b\[\d+m|./gu)) {
    if (token.startsWith('\u001b')) continue;
    visible += 1;
    if (visible > columns) return `${text.slice(0, index)}\u001b[0m`;
  }
  return text;
}
