import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { document } from '../documentation.ts';
import { EXIT } from '../exit-codes.ts';
import { printable } from '../output/text.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Lets through what the supervisor holds back: the deletion of a volume, the removal of everything after the watched ' +
      'directory vanished, the manifests of an app that is held at an earlier generation.\n\n' +
      'Prints what was approved. Without names everything that is pending is approved; `tsdocker plan` shows it before.',
    examples: [
      ['tsdocker plan', 'See what is held, and why'],
      ['tsdocker approve volume/blog/data', 'Let one volume be deleted'],
      ['tsdocker approve blog', 'Take over the manifest of an app that is held'],
      ['tsdocker approve', 'Approve everything that is pending'],
    ],
  });
  command.argument('[names...]', 'resources (KIND/APP/NAME), apps or manifest files');
  command.action(context.action((names: string[]) => run(context, names)));
}

async function run(context: CliContext, names: readonly string[]): Promise<number> {
  const client = await context.client();
  const approved = await client.approve(names);
  if (approved.length === 0) context.print('Nothing was waiting for approval.');
  else context.print(approved.map((name) => `approved ${printable(name)}\n`).join(''));
  return EXIT.ok;
}
