import { constants } from 'node:os';
import { namesOf } from '../../apps.ts';
import { Argument, type Command, InvalidArgumentError } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { forEachContainer } from '../../each-container.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Sends a signal to the first process of containers. Unlike `tsdocker stop` it is not remembered: when the container ends, ' +
      'its restart policy applies.',
    examples: [
      ['tsdocker kill web', 'SIGKILL'],
      ['tsdocker kill -s USR1 blog/', 'Signal all running containers of an app'],
      ['tsdocker kill -s HUP web', 'Tell a server to read its configuration again'],
    ],
  });
  command.addArgument(
    new Argument('<containers...>', 'NAME or APP/NAME; APP/ is every running container of an app').completes(
      'containers',
    ),
  );
  command.option('-s, --signal <signal>', 'name, with or without SIG, or number', signalArgument, 'SIGKILL');
  command.action(context.action((names: string[], options: { signal: string }) => run(context, names, options.signal)));
}

async function run(context: CliContext, words: readonly string[], signal: string): Promise<number> {
  const names = await namesOf(await context.client(), words, ({ pid }) => pid !== null);
  return forEachContainer(context, names, { one: (client, name) => client.kill(name, signal) });
}

/** The signal's name: `SIGHUP` for hup, HUP, SIGHUP and 1. */
function signalArgument(text: string): string {
  const upper = text.toUpperCase();
  const name = upper.startsWith('SIG') ? upper : `SIG${upper}`;
  const found = Object.entries(constants.signals).find(([known, number]) => known === name || String(number) === text);
  if (found === undefined) throw new InvalidArgumentError('there is no such signal.');
  return found[0];
}
