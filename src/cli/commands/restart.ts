import type { Command } from '../command-line/command.ts';
import type { CliContext } from '../context.ts';
import { document } from '../documentation.ts';
import { forEachContainer } from '../each-container.ts';
import { timeoutOption } from '../options.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Stops and starts containers; files, volumes and the address stay. Prints each name when it runs again.',
    examples: [
      ['tsdocker restart web', 'Restart one container'],
      ['tsdocker restart -t 2s web worker', 'Restart two, with little patience'],
    ],
  });
  command.argument('<containers...>', 'NAME or APP/NAME');
  command.addOption(timeoutOption());
  command.action(
    context.action((names: string[], options: { timeout?: number }) =>
      forEachContainer(context, names, (client, name) => client.restart(name, options.timeout ?? null)),
    ),
  );
}
