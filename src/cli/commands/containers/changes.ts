import type { ChangeView } from '../../../api/images/image-files.ts';
import { Argument, type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { type DataFormat, isData } from '../../data.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { printable } from '../../output/text.ts';

/** As `docker diff` marks them. */
const MARKS: Readonly<Record<ChangeView['kind'], string>> = { added: 'A', modified: 'C', deleted: 'D' };

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Lists the changes of a container to its image: A added, C changed, D deleted. Empty files and directories for mounts ' +
      'are left out. A running container is paused during the read.',
    examples: [
      ['tsdocker changes web', 'Everything that differs from the image'],
      ['tsdocker changes blog/web -o json', 'For a script'],
    ],
  });
  command.addArgument(new Argument('<container>', 'NAME or APP/NAME').completes('container'));
  command.addOption(
    new Option('-o, --output <format>', 'form of the output').choices(['text', 'json', 'yaml']).default('text'),
  );
  command.action(
    context.action(async (container: string, { output }: { output: 'text' | DataFormat }) => {
      const client = await context.client();
      const changes = await client.imageFiles.changes(container);
      if (isData(output)) await context.printData(changes, output);
      else if (changes.length > 0) {
        context.print(changes.map(({ kind, path }) => `${MARKS[kind]} ${printable(path)}\n`).join(''));
      }
      return EXIT.ok;
    }),
  );
}
