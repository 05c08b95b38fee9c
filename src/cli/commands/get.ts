import { Argument, type Command } from 'commander';
import type { ListName, ViewOfKind } from '../../api/supervisor.ts';
import { TsdError } from '../../model/errors.ts';
import type { CliContext } from '../context.ts';
import { document, type OutputFormat, outputOption } from '../documentation.ts';
import { printError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { formatTable } from '../output/table.ts';
import { LIST_ALIASES, listOf, VIEWS } from '../output/views.ts';

interface GetOptions {
  readonly output: OutputFormat;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Lists what the supervisor looks after.\n\nLISTS: ' +
      `${Object.entries(LIST_ALIASES)
        .map(([list, aliases]) => [list, ...aliases].join('|'))
        .join(', ')}.\n\n` +
      'Names select: NAME, APP/NAME, or a container by its engine name; manifests are named by file or app. ' +
      '-o wide adds columns, -o name prints APP/NAME alone, -o json everything, as an array.',
    examples: [
      ['tsdocker get containers', 'All containers with their phase'],
      ['tsdocker get c web db -o wide', 'Two of them with addresses, pids and the manifest line'],
      ['tsdocker get manifests', 'Which manifests are active, rejected or held, with the position of the error'],
      ["tsdocker get containers -o json | jq '.[] | select(.ready | not)'", 'What is not ready, for a script'],
    ],
    exitCodes: [
      ['0', 'done'],
      ['1', 'error, or a name was not found'],
    ],
  });
  command.addArgument(new Argument('[list]', 'what to list').default('containers'));
  command.argument('[names...]', 'only these');
  command.addOption(outputOption('table', 'wide', 'json', 'name'));
  command.action(
    context.action((list: string, names: string[], options: GetOptions) =>
      printList(context, listOf(list), names, options),
    ),
  );
}

/** Prints a list, or those of it that are named; a name that nothing has is an error after the rest was printed. */
export async function printList<L extends ListName>(
  context: CliContext,
  list: L,
  names: readonly string[],
  { output }: GetOptions,
): Promise<number> {
  const client = await context.client();
  const all = await client.list(list);
  const view = VIEWS[list];
  const hasName = (row: ViewOfKind[L], name: string) => view.names(row).includes(name);
  const rows = names.length === 0 ? all : all.filter((row) => names.some((name) => hasName(row, name)));
  if (output === 'json') context.printJson(rows);
  else if (output === 'name') context.print(rows.map((row) => `${view.names(row)[0]}\n`).join(''));
  else if (rows.length === 0 && names.length === 0) context.warn(`No ${list}.`);
  else if (rows.length > 0) {
    context.print(formatTable(context, view.columns({ wide: output === 'wide', nowMs: context.streams.now() }), rows));
  }
  const missing = names.filter((name) => !all.some((row) => hasName(row, name)));
  for (const name of missing)
    printError(context, new TsdError('TSD_NO_SUCH_RESOURCE', `none of the ${list} is named ${name}`));
  return missing.length > 0 ? EXIT.error : EXIT.ok;
}
