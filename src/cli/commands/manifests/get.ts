import type { ListName, ViewOfKind } from '../../../api/views/resource-views.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { formatData, jsonText } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { type ListOptions, named, printList } from '../../list.ts';
import { formatTable } from '../../output/table.ts';
import { LIST_ALIASES, listOf, VIEWS } from '../../output/views.ts';

interface GetOptions extends ListOptions {
  readonly watch?: boolean;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Lists the resources of the supervisor.\n\nLISTS: ' +
      `${Object.entries(LIST_ALIASES)
        .map(([list, aliases]) => [list, ...aliases].join('|'))
        .join(', ')}.\n\n` +
      'Names select: NAME, APP/NAME, or a container by its engine name; manifests are named by file or app. ' +
      'APP/ means all resources of an app; without a list its containers.\n\n' +
      'On a terminal columns are truncated, and omitted where it is too narrow; -o wide shows more of them, in full. A pipe ' +
      'always gets the same columns, in full. -o name prints only APP/NAME, -o json and -o yaml everything, as a list.\n\n' +
      '-w keeps watching: a terminal shows the current list, a pipe gets a line for each changed row; with -o json an array ' +
      'a line.',
    examples: [
      ['tsdocker get containers', 'All containers with their phase'],
      ['tsdocker get blog/', 'Those of the app blog'],
      ['tsdocker get c web db -o wide', 'Two of them with addresses, pids and the manifest line'],
      ['tsdocker get containers -w', 'Watch them until Ctrl-C'],
      ['tsdocker get manifests', 'Which manifests are active, rejected or held, with the position of the error'],
      [
        "tsdocker get containers -o json | jq '.[] | select(.ready | not)'",
        'Containers that are not ready, for a script',
      ],
    ],
    exitCodes: [
      ['0', 'done'],
      ['1', 'error, or a name was not found'],
    ],
  });
  command.addArgument(new Argument('[list]', 'what to list').default('containers').completes('lists'));
  command.argument('[names...]', 'only these');
  command.option('-w, --watch', 'keep watching and show changes');
  command.addOption(outputOption('table', 'wide', 'json', 'yaml', 'name'));
  command.action(
    context.action((list: string, names: string[], options: GetOptions) =>
      options.watch === true
        ? watchList(context, ...selected(list, names), options.output)
        : printList(context, ...selected(list, names), options),
    ),
  );
}

/** `get APP/` is about containers. */
function selected(list: string, names: readonly string[]): [ListName, readonly string[]] {
  return list.endsWith('/') ? ['containers', [list, ...names]] : [listOf(list), names];
}

/** Each look of a probe is a new result; the list shows what they come to. */
function withoutResults(name: string, value: unknown): unknown {
  return name === 'results' ? undefined : value;
}

/** Cursor to the upper left corner, and everything below it erased (ECMA-48 CUP and ED). */
const CLEAR = '\u001b[H\u001b[2J';

/** Shows a list whenever it changes, until the supervisor ends the stream. */
async function watchList<L extends ListName>(
  context: CliContext,
  list: L,
  names: readonly string[],
  output: OutputFormat,
): Promise<number> {
  const client = await context.client();
  let before: ReadonlySet<string> | null = null;
  for await (const all of client.watch(list)) {
    const rows = named(list, all, names);
    const texts = rows.map((row) => JSON.stringify(row, withoutResults));
    if (output === 'json') context.print(jsonText(rows));
    else if (output === 'yaml') context.print(`---\n${await formatData(rows, output)}`);
    else if (context.streams.stdout.isTTY === true)
      context.print(CLEAR + rendered(context, list, rows, output).join('\n'));
    else {
      const lines = rendered(context, list, rows, output);
      const [head, ...body] = output === 'name' ? [null, ...lines] : lines;
      const changed = body.filter((_, index) => before?.has(texts[index] ?? '') !== true);
      const shown = before === null && head != null ? [head, ...changed] : changed;
      if (shown.length > 0) context.print(shown.join('\n'));
    }
    before = new Set(texts);
  }
  return EXIT.ok;
}

/** A line for each row, under the titles where the form has them. */
function rendered<L extends ListName>(
  context: CliContext,
  list: L,
  rows: readonly ViewOfKind[L][],
  output: OutputFormat,
): string[] {
  if (output === 'name') return rows.map((row) => VIEWS[list].names(row)[0] ?? '');
  const columns = VIEWS[list].columns({ wide: output === 'wide', nowMs: context.streams.now() });
  return formatTable(context, columns, rows, output === 'wide')
    .trimEnd()
    .split('\n');
}
