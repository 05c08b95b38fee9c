import { isApp, namesOf } from '../../apps.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Waits until the current run of each container has ended and prints its exit code, one a line in the order given; at once ' +
      'for what does not run. A run killed by a signal counts as 128 + signal. ' +
      'With APP/ each line begins with the name.',
    examples: [
      ['tsdocker wait migrate', 'Wait for a one-shot container and print its exit code'],
      ['tsdocker wait jobs/', 'Wait for all of an app'],
      ['test "$(tsdocker wait migrate)" = 0', 'Fail a script when the container failed'],
    ],
  });
  command.addArgument(
    new Argument('<containers...>', 'NAME or APP/NAME; APP/ is every container of an app').completes('containers'),
  );
  command.action(context.action((names: string[]) => run(context, names)));
}

async function run(context: CliContext, words: readonly string[]): Promise<number> {
  const client = await context.client();
  const names = await namesOf(client, words, () => true);
  const ends = await Promise.all(names.map(async (name) => ({ name, exitCode: await client.wait(name) })));
  // Who names an app does not know how many containers it has.
  const named = words.some(isApp);
  context.print(ends.map(({ name, exitCode }) => `${named ? `${name} ` : ''}${exitCode}\n`).join(''));
  return EXIT.ok;
}
