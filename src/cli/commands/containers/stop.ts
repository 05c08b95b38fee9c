import { Argument, type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { forEachContainer } from '../../each-container.ts';
import { lastingArgument, timeoutOption } from '../../options.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Stops containers: the stop signal of the manifest (SIGTERM), and SIGKILL after the timeout. Prints each name when it ' +
      'is down.\n\nThe container stays stopped, also over a restart of the supervisor or the host, until `tsdocker start` ' +
      'or a change of its manifest; with `--for`, no longer than that.',
    examples: [
      ['tsdocker stop web', 'Stop a container and keep it stopped'],
      ['tsdocker stop blog/', 'Stop all of an app, dependents first'],
      ['tsdocker stop -t 1m blog/db', 'Give it a minute to finish'],
      ['tsdocker stop --for 10m web', 'Keep it stopped for ten minutes'],
    ],
  });
  command.addArgument(
    new Argument('<containers...>', 'NAME or APP/NAME; APP/ is every container of an app').completes('containers'),
  );
  command.addOption(timeoutOption());
  command.addOption(
    new Option('--for <duration>', 'start it again after this time; also over a restart or reboot').argParser(
      lastingArgument,
    ),
  );
  command.action(
    context.action((names: string[], options: { timeout?: number; for?: number }) =>
      forEachContainer(context, names, {
        one: (client, name) => client.stop(name, options.timeout ?? null, options.for ?? null),
        app: (client, app) =>
          client.ofApp(app, 'stop', { timeoutMs: options.timeout ?? null, forMs: options.for ?? null }),
      }),
    ),
  );
}
