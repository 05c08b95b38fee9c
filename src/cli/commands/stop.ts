import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { document } from '../documentation.ts';
import { forEachContainer } from '../each-container.ts';
import { timeoutOption } from '../options.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Stops containers: the stop signal of the manifest (SIGTERM), and SIGKILL after the timeout. Prints each name when it ' +
      'is down.\n\nThe container stays stopped, also over a restart of the supervisor or the host, until `tsdocker start` ' +
      'or a change of its manifest.',
    examples: [
      ['tsdocker stop web', 'Stop a container and keep it stopped'],
      ['tsdocker stop -t 1m blog/db', 'Give it a minute to finish'],
    ],
  });
  command.argument('<containers...>', 'NAME or APP/NAME');
  command.addOption(timeoutOption());
  command.action(
    context.action((names: string[], options: { timeout?: number }) =>
      forEachContainer(context, names, (client, name) => client.stop(name, options.timeout ?? null)),
    ),
  );
}
