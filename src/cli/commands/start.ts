import type { Command } from '../command-line/command.ts';
import type { CliContext } from '../context.ts';
import { document } from '../documentation.ts';
import { forEachContainer } from '../each-container.ts';
import { type StartFlags, startOf, startOptions } from '../options.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Starts containers that were stopped or ended, and clears what `tsdocker stop` left. What runs is not started again.\n\n' +
      'Prints each name with `ready` when its probe passes or, without one, when it has run for the settle time, and with ' +
      '`completed` when it ended with 0 and is meant to. Any other end is an error with the exit code and the last lines ' +
      'of its log.',
    examples: [
      ['tsdocker start web', 'Start a container that was stopped'],
      ['tsdocker start --settle 0 web', 'Return as soon as it runs'],
    ],
  });
  command.argument('<containers...>', 'NAME or APP/NAME');
  startOptions(command);
  command.action(
    context.action((names: string[], options: StartFlags) =>
      forEachContainer(context, names, async (client, name) => (await client.start(name, startOf(options))).state),
    ),
  );
}
