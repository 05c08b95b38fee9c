import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { forEachContainer } from '../../each-container.ts';
import { type StartFlags, startOf, startOptions, timeoutOption } from '../../options.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Stops and starts containers; files, volumes and the address stay the same. Prints each name with `ready` or `completed`, as ' +
      '`tsdocker start` does; an unexpected end is an error.',
    examples: [
      ['tsdocker restart web', 'Restart one container'],
      ['tsdocker restart blog/', 'Restart all of an app, in the order of dependencies'],
      ['tsdocker restart -t 2s web worker', 'Restart two, with a short timeout'],
    ],
  });
  command.addArgument(
    new Argument('<containers...>', 'NAME or APP/NAME; APP/ is every container of an app').completes('containers'),
  );
  command.addOption(timeoutOption());
  startOptions(command);
  command.action(
    context.action((names: string[], options: StartFlags & { timeout?: number }) =>
      forEachContainer(context, names, {
        one: async (client, name) => (await client.restart(name, options.timeout ?? null, startOf(options))).state,
        app: (client, app) => client.ofApp(app, 'restart', { timeoutMs: options.timeout ?? null, ...startOf(options) }),
      }),
    ),
  );
}
