import { type Command, InvalidArgumentError } from 'commander';
import type { LogEntry } from '../../api/supervisor.ts';
import type { CliContext } from '../context.ts';
import { document } from '../documentation.ts';
import { EXIT } from '../exit-codes.ts';
import { type SinceForm, sinceArgument, sinceMs } from '../options.ts';

interface LogsOptions {
  readonly follow?: boolean;
  readonly tail: number | 'all';
  readonly since?: SinceForm;
  readonly timestamps?: boolean;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      "Prints a container's log: what it wrote to standard output to our standard output, and standard error to ours, " +
      'byte for byte.\n\nLogs are kept while the supervisor is away and over restarts of the container, up to their cap.',
    examples: [
      ['tsdocker logs -f web', 'Follow a log until the container ends or Ctrl-C'],
      ['tsdocker logs --tail 100 -t blog/web', 'The last 100 entries with their times'],
      ['tsdocker logs --since 10m web 2>/dev/null', 'Standard output of the last ten minutes'],
    ],
  });
  command.argument('<container>', 'NAME or APP/NAME');
  command.option('-f, --follow', 'go on with what comes');
  command.option('-n, --tail <entries>', 'only the last entries, or all', tailArgument, 'all');
  command.option(
    '--since <time>',
    'entries from then on: a duration (10m), an RFC 3339 time, or Unix seconds',
    sinceArgument,
  );
  command.option('-t, --timestamps', 'put the time in front of each line');
  command.action(context.action((name: string, options: LogsOptions) => run(context, name, options)));
}

function tailArgument(text: string): LogsOptions['tail'] {
  if (text === 'all') return text;
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('write a number of entries, or all.');
  return Number(text);
}

async function run(context: CliContext, name: string, options: LogsOptions): Promise<number> {
  const client = await context.client();
  const entries = client.logs(name, {
    follow: options.follow === true,
    tail: options.tail === 'all' ? null : options.tail,
    sinceMs: sinceMs(options.since, context),
    stdout: true,
    stderr: true,
  });
  const midLine = { stdout: false, stderr: false };
  for await (const entry of entries) {
    const stamp = options.timestamps === true && !midLine[entry.stream] ? `${entry.time} ` : '';
    midLine[entry.stream] = !entry.log.endsWith('\n');
    await write(context, entry, stamp);
  }
  return EXIT.ok;
}

async function write(context: CliContext, entry: LogEntry, stamp: string): Promise<void> {
  const output = entry.stream === 'stdout' ? context.streams.stdout : context.streams.stderr;
  if (!output.write(stamp + entry.log)) await new Promise<void>((resolve) => output.once('drain', resolve));
}
