import type { Command } from '../command-line/command.ts';
import type { CliContext } from '../context.ts';
import { document } from '../documentation.ts';
import { forEachContainer } from '../each-container.ts';
import { type StartFlags, startOf, startOptions, timeoutOption } from '../options.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Stops and starts containers; files, volumes and the address stay. Prints each name with `ready` or `completed`, as ' +
      '`tsdocker start` does; an end that is not meant is an error.',
    examples: [
      ['tsdocker restart web', 'Restart one container'],
      ['tsdocker restart -t 2s web worker', 'Restart two, with little patience'],
    ],
  });
  command.argument('<containers...>', 'NAME or APP/NAME');
  command.addOption(timeoutOption());
  startOptions(command);
  command.action(
    context.action((names: string[], options: StartFlags & { timeout?: number }) =>
      forEachContainer(
        context,
        names,
        async (client, name) => (await client.restart(name, options.timeout ?? null, startOf(options))).state,
      ),
    ),
  );
}
