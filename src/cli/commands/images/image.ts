import type { ImageHistoryView } from '../../../api/images/registry-views.ts';
import { Argument, type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { type DataFormat, isData } from '../../data.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { type Column, formatTable } from '../../output/table.ts';
import { formatBytes } from '../../output/text.ts';

const COLUMNS: readonly Column<ImageHistoryView>[] = [
  { title: 'ID', value: ({ id }) => id?.slice(0, 12) ?? '' },
  { title: 'CREATED', value: ({ created }) => created?.slice(0, 19) ?? '' },
  { title: 'SIZE', value: ({ size }) => formatBytes(size) },
  { title: 'CREATED BY', value: ({ createdBy, comment }) => createdBy || comment },
];

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Shows how an image was built (history), newest step first. The generations of what is declared are shown by ' +
      '`tsdocker history`.',
    examples: [['tsdocker image history nginx:1.27', 'Its layers, with the commands that created them']],
  });
  command.addArgument(new Argument('<action>', 'what to do').choices(['history']));
  command.addArgument(new Argument('<image>', 'NAME[:TAG], an id or its beginning').completes('images'));
  command.addOption(
    new Option('-o, --output <format>', 'form of the output').choices(['table', 'json', 'yaml']).default('table'),
  );
  command.action(
    context.action(async (_action: 'history', image: string, { output }: { output: 'table' | DataFormat }) => {
      const client = await context.client();
      const steps = await client.registry.imageHistory(image);
      if (isData(output)) await context.printData(steps, output);
      else context.print(formatTable(context, COLUMNS, steps));
      return EXIT.ok;
    }),
  );
}
