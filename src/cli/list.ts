/** Lists of `get` and `images`: rows, their hints, and problems of the whole list. */
import type { ListName, ViewOfKind } from '../api/views/resource-views.ts';
import { TsdError } from '../model/errors/errors.ts';
import { closest } from '../model/text/suggest.ts';
import type { CliContext } from './context.ts';
import { isData } from './data.ts';
import type { OutputFormat } from './documentation.ts';
import { printError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { manifestNote } from './manifest-notes.ts';
import { formatTable } from './output/table.ts';
import { printable } from './output/text.ts';
import { VIEWS } from './output/views.ts';

export interface ListOptions {
  readonly output: OutputFormat;
}

/** The rows that have one of the names; all without names. */
export function named<L extends ListName>(
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
  { output }: ListOptions,
): Promise<number> {
  const client = await context.client();
  const isTable = output === 'table' || output === 'wide';
  const [all, note] = await Promise.all([
    client.list(list),
    list !== 'manifests' && isTable ? manifestNote(client) : null,
  ]);
  const view = VIEWS[list];
  const rows = named(list, all, names);
  if (isData(output)) await context.printData(rows, output);
  else if (output === 'name') context.print(rows.map((row) => `${view.names(row)[0]}\n`).join(''));
  else if (rows.length === 0 && names.length === 0) context.warn(`No ${list}.`);
  else if (rows.length > 0) {
    const wide = output === 'wide';
    context.print(formatTable(context, view.columns({ wide, nowMs: context.streams.now() }), rows, wide));
  }
  if (isTable) for (const hint of hints(list, rows)) context.warn(hint);
  for (const warning of warnings(rows)) context.warn(`warning: ${warning}`);
  if (note !== null) context.warn(note);
  const missing = names.filter((name) => named(list, all, [name]).length === 0);
  for (const name of missing)
    printError(
      context,
      noneNamed(
        list,
        name,
        all.flatMap((row) => view.names(row)),
      ),
    );
  return missing.length > 0 ? EXIT.error : EXIT.ok;
}

function noneNamed(list: ListName, name: string, known: readonly string[]): TsdError {
  const meant = closest(name, [...new Set(known)]);
  const hint = `${meant === undefined ? '' : `Did you mean ${meant}? `}\`tsdocker get ${list}\` lists what exists.`;
  const message = name.endsWith('/')
    ? `no app ${name.slice(0, -1)} has ${list}`
    : `none of the ${list} is named ${name}`;
  return new TsdError('TSD_NO_SUCH_RESOURCE', message, { hint });
}

/** What is the matter with the list as a whole, once. */
function warnings(rows: readonly ViewOfKind[ListName][]): ReadonlySet<string> {
  const conditions = rows.flatMap((row) => ('conditions' in row ? row.conditions : []));
  return new Set(conditions.filter(({ type }) => type === 'DiskFailing').map(({ message }) => message));
}

/** Hints printed below the list; `why` prints the others. */
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
