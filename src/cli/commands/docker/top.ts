import { objectPath } from '../../../api/docker/paths.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { formatTable } from '../../output/table.ts';

interface Processes {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description: 'Lists the processes of a running container, with their ids on the host. What follows is for ps(1).',
    examples: [
      ['tsdocker top web', 'Processes of a container'],
      ['tsdocker top web -- -o pid,rss,comm', 'With their memory'],
    ],
  });
  command.addArgument(new Argument('<container>', 'name or id').completes('container'));
  command.argument('[options...]', 'of ps (default: -ef)');
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(
    context.action(async (name: string, words: string[], { output }: { output: OutputFormat }) => {
      const docker = await context.docker();
      const path = objectPath('containers', name, '/top');
      const found = await docker.get<Processes>(path, { ps_args: words.length > 0 ? words.join(' ') : undefined });
      if (isData(output)) await context.printData(found, output);
      else {
        const columns = found.Titles.map((title, at) => ({ title, value: (row: readonly string[]) => row[at] ?? '' }));
        context.print(formatTable(context, columns, found.Processes));
      }
      return EXIT.ok;
    }),
  );
}
