import type { LogEntry, LogOptions } from '../../../api/requests.ts';
import { largest } from '../../../model/lists.ts';
import { namesOf } from '../../apps.ts';
import { Argument, type Command, InvalidArgumentError } from '../../command-line/command.ts';
import type { CliContext, Output } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { type SinceForm, sinceArgument, sinceMs } from '../../options.ts';
import { terminalText } from '../../output/terminal-text.ts';
import { logStream } from '../../terminal/log-stream.ts';
import { inOrderOfTime, together } from '../../terminal/merge-streams.ts';

interface LogsOptions {
  readonly follow?: boolean;
  readonly tail: number | 'all';
  readonly since?: SinceForm;
  readonly until?: SinceForm;
  readonly timestamps?: boolean;
  readonly raw?: boolean;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Prints the log of a container: its standard output to our standard output, its standard error to ours, ' +
      'byte for byte. A terminal gets only colours; other control characters are shown as text (--raw sends them).\n\n' +
      'Several containers, or all of an app (APP/), are printed together with their name in front of each line.\n\n' +
      'Logs are kept while the supervisor is away and over restarts of the container, up to their limit. -f continues over ' +
      'restarts of the container and of the supervisor, and when the container is recreated.',
    examples: [
      ['tsdocker logs -f web', 'Follow a log until the container ends or Ctrl-C'],
      ['tsdocker logs --tail 100 -t blog/web', 'The last 100 entries with their times'],
      ['tsdocker logs --since 10m web 2>/dev/null', 'Standard output of the last ten minutes'],
      ['tsdocker logs --since 2h --until 1h web', 'The hour before the last one'],
      ['tsdocker logs -f blog/', 'Follow all containers of the app blog'],
    ],
  });
  command.addArgument(
    new Argument('<container...>', 'NAME or APP/NAME; APP/ is every container of an app').completes('containers'),
  );
  command.option('-f, --follow', 'follow new output');
  command.option('-n, --tail <entries>', 'only the last entries of each, or all', tailArgument, 'all');
  const timeForms = 'a duration (10m) before now, an RFC 3339 time, or Unix seconds';
  command.option('--since <time>', `entries from then on: ${timeForms}`, sinceArgument);
  command.option('--until <time>', `entries before then: ${timeForms}`, sinceArgument);
  command.option('-t, --timestamps', 'print the time before each line');
  command.option('--raw', 'send control characters to a terminal unchanged');
  command.action(context.action((names: string[], options: LogsOptions) => run(context, names, options)));
}

function tailArgument(text: string): LogsOptions['tail'] {
  if (text === 'all') return text;
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('write a number of entries, or all.');
  return Number(text);
}

async function run(context: CliContext, words: readonly string[], options: LogsOptions): Promise<number> {
  const client = await context.client();
  const names = await namesOf(client, words, ({ id }) => id !== '');
  const wanted: LogOptions = {
    follow: options.follow === true,
    tail: options.tail === 'all' ? null : options.tail,
    sinceMs: sinceMs(options.since, context),
    untilMs: sinceMs(options.until, context),
    stdout: true,
    stderr: true,
  };
  let connected = true;
  const onConnection = (state: 'lost' | 'restored'): void => {
    if (connected === (state === 'restored')) return;
    connected = state === 'restored';
    context.warn(connected ? 'The supervisor is back; continuing.' : 'The supervisor went away; waiting for it.');
  };
  const streams = names.map((name) => named(name, logStream({ client, name, options: wanted, onConnection })));
  const [only] = streams;
  if (only && streams.length === 1) await print(context, only, null, options);
  else {
    const width = largest(names.map((name) => name.length));
    const merged = wanted.follow ? together(streams) : inOrderOfTime(streams, ({ entry }) => entry.time);
    await print(context, merged, width, options);
  }
  return EXIT.ok;
}

interface NamedEntry {
  readonly name: string;
  readonly entry: LogEntry;
}

async function* named(name: string, entries: AsyncIterable<LogEntry>): AsyncGenerator<NamedEntry> {
  for await (const entry of entries) yield { name, entry };
}

/** @param width of the names in front of lines; null for none */
async function print(
  context: CliContext,
  entries: AsyncIterable<NamedEntry>,
  width: number | null,
  { timestamps, raw }: LogsOptions,
): Promise<void> {
  /** Streams whose latest entry did not end its line. */
  const midLine = new Set<string>();
  for await (const { name, entry } of entries) {
    const stream = `${entry.stream} ${name}`;
    const front = width === null ? '' : `${name.padEnd(width)} | `;
    const stamp = timestamps === true ? `${entry.time} ` : '';
    const begins = !midLine.has(stream);
    if (entry.log.endsWith('\n')) midLine.delete(stream);
    else midLine.add(stream);
    const output = entry.stream === 'stdout' ? context.streams.stdout : context.streams.stderr;
    await write(output, (begins ? front + stamp : '') + shown(context, output, entry.log, raw === true));
  }
}

function shown({ streams }: CliContext, output: Output, text: string, raw: boolean): string {
  if (raw || output.isTTY !== true) return text;
  return terminalText(text, (streams.env.NO_COLOR ?? '') === '' && streams.env.TERM !== 'dumb');
}

async function write(output: Output, text: string): Promise<void> {
  if (!output.write(text)) await new Promise<void>((resolve) => output.once('drain', resolve));
}
