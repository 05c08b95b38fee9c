import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { document, type OutputFormat, outputOption } from '../documentation.ts';
import { printList } from './get.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Lists images: those that manifests declare and those that were loaded. Short for `tsdocker get images`.',
    examples: [
      ['tsdocker images', 'All images with their tags and sizes'],
      ['tsdocker images app -o json', 'One image with everything about it'],
    ],
    exitCodes: [
      ['0', 'done'],
      ['1', 'error, or a name was not found'],
    ],
  });
  command.argument('[names...]', 'only these');
  command.addOption(outputOption('table', 'wide', 'json', 'name'));
  command.action(
    context.action((names: string[], options: { output: OutputFormat }) =>
      printList(context, 'images', names, options),
    ),
  );
}
