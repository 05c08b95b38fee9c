import type { Command } from '../command-line/command.ts';
import type { CliContext } from '../context.ts';
import { document } from '../documentation.ts';
import { forEachContainer } from '../each-container.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Starts containers that were stopped or ended, and clears what `tsdocker stop` left. Starting what runs does nothing. ' +
      'Prints each name when it runs.',
    examples: [['tsdocker start web', 'Start a container that was stopped']],
  });
  command.argument('<containers...>', 'NAME or APP/NAME');
  command.action(
    context.action((names: string[]) => forEachContainer(context, names, (client, name) => client.start(name))),
  );
}
