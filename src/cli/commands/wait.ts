import type { Command } from '../command-line/command.ts';
import type { CliContext } from '../context.ts';
import { document } from '../documentation.ts';
import { EXIT } from '../exit-codes.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Waits until the current run of each container has ended and prints its exit code, one a line in the order given; at once ' +
      'for what does not run. A run killed by a signal counts as 128 + signal.',
    examples: [
      ['tsdocker wait migrate', 'Wait for a one-shot container and print its exit code'],
      ['test "$(tsdocker wait migrate)" = 0', 'Fail a script when it failed'],
    ],
  });
  command.argument('<containers...>', 'NAME or APP/NAME');
  command.action(context.action((names: string[]) => run(context, names)));
}

async function run(context: CliContext, names: readonly string[]): Promise<number> {
  const client = await context.client();
  const exitCodes = await Promise.all(names.map((name) => client.wait(name)));
  context.print(exitCodes.map((exitCode) => `${exitCode}\n`).join(''));
  return EXIT.ok;
}
