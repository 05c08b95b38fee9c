import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { printList } from '../../list.ts';
import { formatTree } from '../../output/tree.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description: 'Lists images: declared, pulled, loaded and built ones. Short for `tsdocker get images`.',
    examples: [
      ['tsdocker images', 'All images with their tags and sizes'],
      ['tsdocker images app -o json', 'One image with all details'],
      ['tsdocker images --tree', 'Layers with the layers and images on top of them'],
    ],
    exitCodes: [
      ['0', 'done'],
      ['1', 'error, or a name was not found'],
    ],
  });
  command.argument('[names...]', 'only these');
  command.option('--tree', 'show which layers the images share');
  command.addOption(outputOption('table', 'wide', 'json', 'yaml', 'name'));
  command.action(
    context.action((names: string[], options: { output: OutputFormat; tree?: boolean }) =>
      options.tree === true ? printTree(context, options.output) : printList(context, 'images', names, options),
    ),
  );
}

async function printTree(context: CliContext, output: OutputFormat): Promise<number> {
  const client = await context.client();
  const tree = await client.imageFiles.tree();
  if (isData(output)) await context.printData(tree, output);
  else context.print(formatTree(tree));
  return EXIT.ok;
}
