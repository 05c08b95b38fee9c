import type { ListName, ViewOfKind } from '../../api/supervisor.ts';
import { TsdError } from '../../model/errors.ts';
import { Argument, type Command } from '../command-line/command.ts';
import type { CliContext } from '../context.ts';
import { document, type OutputFormat, outputOption } from '../documentation.ts';
import { printError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { noteManifests } from '../manifest-notes.ts';
import { formatTable } from '../output/table.ts';
import { printable } from '../output/text.ts';
import { LIST_ALIASES, listOf, VIEWS } from '../output/views.ts';

interface GetOptions {
  readonly output: OutputFormat;
  readonly watch?: boolean;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Lists what the supervisor looks after.\n\nLISTS: ' +
      `${Object.entries(LIST_ALIASES)
        .map(([list, aliases]) => [list, ...aliases].join('|'))
        .join(', ')}.\n\n` +
      'Names select: NAME, APP/NAME, or a container by its engine name; manifests are named by file or app. ' +
      '-o wide adds columns, -o name prints APP/NAME alone, -o json everything, as an array.\n\n' +
      '-w goes on: a terminal shows the list as it is, a pipe gets a line for each row that changed; with -o json an array ' +
      'a line.',
    examples: [
      ['tsdocker get containers', 'All containers with their phase'],
      ['tsdocker get c web db -o wide', 'Two of them with addresses, pids and the manifest line'],
      ['tsdocker get containers -w', 'Watch them until Ctrl-C'],
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
  command.option('-w, --watch', 'go on and show what changes');
  command.addOption(outputOption('table', 'wide', 'json', 'name'));
  command.action(
    context.action((list: string, names: string[], options: GetOptions) =>
      options.watch === true
        ? watchList(context, listOf(list), names, options.output)
        : printList(context, listOf(list), names, options),
    ),
  );
}

/** The rows that have one of the names; all without names. */
function named<L extends ListName>(
  list: L,
  rows: readonly ViewOfKind[L][],
  names: readonly string[],
): readonly ViewOfKind[L][] {
  if (names.length === 0) return rows;
  return rows.filter((row) => VIEWS[list].names(row).some((name) => names.includes(name)));
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
  const rows = named(list, all, names);
  if (output === 'json') context.printJson(rows);
  else if (output === 'name') context.print(rows.map((row) => `${view.names(row)[0]}\n`).join(''));
  else if (rows.length === 0 && names.length === 0) context.warn(`No ${list}.`);
  else if (rows.length > 0) {
    context.print(formatTable(context, view.columns({ wide: output === 'wide', nowMs: context.streams.now() }), rows));
  }
  if (output === 'table' || output === 'wide') for (const hint of hints(list, rows)) context.warn(hint);
  for (const warning of warnings(rows)) context.warn(`warning: ${warning}`);
  if (list !== 'manifests' && (output === 'table' || output === 'wide')) await noteManifests(context, client);
  const missing = names.filter((name) => named(list, all, [name]).length === 0);
  for (const name of missing)
    printError(context, new TsdError('TSD_NO_SUCH_RESOURCE', `none of the ${list} is named ${name}`));
  return missing.length > 0 ? EXIT.error : EXIT.ok;
}

/** What is the matter with the list as a whole, once. */
function warnings(rows: readonly ViewOfKind[ListName][]): ReadonlySet<string> {
  const conditions = rows.flatMap((row) => ('conditions' in row ? row.conditions : []));
  return new Set(conditions.filter(({ type }) => type === 'DiskFailing').map(({ message }) => message));
}

/** Hints that are told below the list; the others are found with `why`. */
const SHOWN_HINTS = 3;
/** Rows that a hint names. */
const NAMED_ROWS = 3;

/** What to type next, once for all that it is for: `hint: web, db: …`. */
function hints<L extends ListName>(list: L, rows: readonly ViewOfKind[L][]): string[] {
  const byHint = new Map<string, string[]>();
  for (const row of rows) {
    if (row.hint !== '') byHint.set(row.hint, [...(byHint.get(row.hint) ?? []), VIEWS[list].names(row)[0] ?? '']);
  }
  const lines = [...byHint].slice(0, SHOWN_HINTS).map(([hint, names]) => {
    const more = names.length - NAMED_ROWS;
    const whom = `${names.slice(0, NAMED_ROWS).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
    return `hint: ${printable(`${whom}: ${hint}`)}`;
  });
  const left = byHint.size - lines.length;
  if (left <= 0) return lines;
  const verb = list === 'manifests' ? 'describe manifest' : 'why';
  return [...lines, `      ${left} more: \`tsdocker ${verb} NAME\``];
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
    if (output === 'json') context.print(JSON.stringify(rows));
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
  return formatTable(context, columns, rows).trimEnd().split('\n');
}
