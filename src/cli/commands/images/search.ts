import type { SearchView } from '../../../api/images/registry-views.ts';
import { DOCKER_HUB, registryName } from '../../../model/image-reference.ts';
import { type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { type DataFormat, isData } from '../../data.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { loginsOf } from '../../logins.ts';
import { type Column, formatTable } from '../../output/table.ts';

const COLUMNS: readonly Column<SearchView>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'STARS', value: ({ stars }) => String(stars) },
  { title: 'OFFICIAL', value: ({ official }) => (official ? 'yes' : '') },
  { title: 'DESCRIPTION', value: ({ description }) => description },
];

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Searches for images on Docker Hub, or on the registry that TERM begins with. A registry without a search is asked for ' +
      'its catalog.',
    examples: [
      ['tsdocker search nginx', 'On Docker Hub'],
      ['tsdocker search registry.example:5000/app', 'On another registry'],
    ],
  });
  command.argument('<term>', 'TERM or REGISTRY/TERM');
  command.addOption(
    new Option('-o, --output <format>', 'form of the output').choices(['table', 'json', 'yaml']).default('table'),
  );
  command.action(
    context.action(async (text: string, { output }: { output: 'table' | DataFormat }) => {
      const [first = '', ...rest] = text.split('/');
      const named = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
      const registry = named ? registryName(first) : null;
      const credentials = await (await loginsOf(context)).get(registry ?? DOCKER_HUB);
      const client = await context.client();
      const found = await client.registry.search({ registry, term: named ? rest.join('/') : text, credentials });
      if (isData(output)) await context.printData(found, output);
      else context.print(formatTable(context, COLUMNS, found));
      return EXIT.ok;
    }),
  );
}
