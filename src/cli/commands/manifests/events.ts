import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { jsonText } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { type SinceForm, sinceArgument, sinceMs } from '../../options.ts';
import { formatEvent } from '../../output/timeline.ts';

interface EventsOptions {
  readonly follow?: boolean;
  readonly since?: SinceForm;
  readonly output: OutputFormat;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Prints events, oldest first: edits, operations and their causes, ends of containers with their last lines, ' +
      'waits with reasons, requests of people.\n\n' +
      'Events are kept over restarts of the supervisor, the latest 300 of each resource. With -f it follows new ' +
      'events; -o json prints one object a line.',
    examples: [
      ['tsdocker events -f', 'Watch what happens from now on'],
      ['tsdocker events --since 1h', 'What happened in the last hour'],
      ["tsdocker events -f -o json | jq 'select(.ok | not)'", 'Failures as they come, for a script'],
    ],
  });
  command.option('-f, --follow', 'follow new events');
  command.option(
    '--since <time>',
    'events from then on: a duration (10m), an RFC 3339 time, or Unix seconds',
    sinceArgument,
  );
  command.addOption(outputOption('table', 'json'));
  command.action(context.action((options: EventsOptions) => run(context, options)));
}

async function run(context: CliContext, { follow, since, output }: EventsOptions): Promise<number> {
  const client = await context.client();
  for await (const event of client.timeline({ follow: follow === true, sinceMs: sinceMs(since, context) })) {
    context.print(output === 'json' ? jsonText(event) : formatEvent(context, event));
  }
  return EXIT.ok;
}
