import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { forEachContainer } from '../../each-container.ts';
import { type StartFlags, startOf, startOptions } from '../../options.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Starts containers that were stopped or ended, and clears the mark of `tsdocker stop`. Running containers are not restarted.\n\n' +
      'Prints each name with `ready` when its probe passes or, without one, when it has run for the settle time, and with ' +
      '`completed` when it exited with 0 and is meant to end. Any other end is an error with the exit code and the last lines ' +
      'of its log.',
    examples: [
      ['tsdocker start web', 'Start a container that was stopped'],
      ['tsdocker start blog/', 'Start all of an app, each after its dependencies'],
      ['tsdocker start --settle 0 web', 'Return as soon as it runs'],
    ],
  });
  command.addArgument(
    new Argument('<containers...>', 'NAME or APP/NAME; APP/ is every container of an app').completes('containers'),
  );
  startOptions(command);
  command.action(
    context.action((names: string[], options: StartFlags) =>
      forEachContainer(context, names, {
        one: async (client, name) => (await client.start(name, startOf(options))).state,
        app: (client, app) => client.ofApp(app, 'start', startOf(options)),
      }),
    ),
  );
}
