import { largest } from '../../model/lists.ts';
import type { CliContext } from '../context.ts';
import { paint, printable, type Style } from './text.ts';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly style?: (row: Row) => Style | null;
  /** On a terminal it may be cut to so many characters; the last column may always. */
  readonly min?: number;
  /** Its end says more than its beginning: that is what stays. */
  readonly keepEnd?: true;
  /** On a terminal that is too narrow it is left out: of several that with the highest number, an empty one before those. */
  readonly leaveOut?: number;
}

const GAP = '  ';
const MIN_LAST_WIDTH = 12;

/** A column as it is printed. */
interface Shown<Row> {
  readonly column: Column<Row>;
  /** One a row. */
  readonly cells: readonly string[];
  readonly min: number;
  width: number;
}

/**
 * Lines of aligned columns under their titles. On a terminal a row stays a line: columns are cut and left out as they say.
 * Into a pipe, and with `whole`, everything is written.
 */
export function formatTable<Row>(
  context: CliContext,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  whole = false,
): string {
  const { streams } = context;
  const full = columns.map((column, index) => measure(column, rows, index === columns.length - 1));
  const shown = streams.stdout.isTTY === true && !whole ? fitTo(full, streams.stdout.columns ?? 80) : full;
  const line = (textOf: (of: Shown<Row>) => string, styleOf: (of: Shown<Row>) => Style | null) =>
    shown
      .map((of) => {
        const text = shorten(textOf(of), of.width, of.column.keepEnd === true);
        const style = styleOf(of);
        const painted = style === null ? text : paint(streams, streams.stdout, style, text);
        return painted + ' '.repeat(of.width - width(text));
      })
      .join(GAP)
      .trimEnd();
  const titles = line(
    ({ column }) => column.title,
    () => 'bold',
  );
  const body = rows.map((row, index) =>
    line(
      ({ cells }) => cells[index] as string,
      ({ column }) => column.style?.(row) ?? null,
    ),
  );
  return `${[titles, ...body].join('\n')}\n`;
}

function measure<Row>(column: Column<Row>, rows: readonly Row[], isLast: boolean): Shown<Row> {
  const cells = rows.map((row) => printable(column.value(row)) || '-');
  const needed = largest(cells.map(width), column.title.length);
  const least = column.min ?? (isLast ? MIN_LAST_WIDTH : needed);
  return { column, cells, min: Math.min(needed, Math.max(least, column.title.length)), width: needed };
}

/** The columns that a terminal has room for, as wide as it has. */
function fitTo<Row>(all: readonly Shown<Row>[], room: number): readonly Shown<Row>[] {
  const total = (shown: readonly Shown<Row>[], size: (of: Shown<Row>) => number) =>
    shown.reduce((sum, of) => sum + size(of) + GAP.length, -GAP.length);
  const isEmpty = ({ cells }: Shown<Row>) => cells.every((cell) => cell === '-');
  const rank = (of: Shown<Row>) => (of.column.leaveOut ?? 0) + (isEmpty(of) ? 1000 : 0);
  let shown = all;
  const leaveOutLast = (): boolean => {
    const candidates = shown.filter(({ column }) => column.leaveOut !== undefined);
    const last = candidates.sort((a, b) => rank(b) - rank(a))[0];
    shown = shown.filter((of) => of !== last);
    return last !== undefined;
  };
  // Empty columns are dropped before any is truncated, others when truncation is not enough.
  while (total(shown, (of) => of.width) > room && shown.some((of) => of.column.leaveOut !== undefined && isEmpty(of)))
    leaveOutLast();
  while (total(shown, (of) => of.min) > room && leaveOutLast());
  let excess = total(shown, (of) => of.width) - room;
  for (const of of shown.toSorted((a, b) => rank(b) - rank(a))) {
    const cut = Math.max(0, Math.min(excess, of.width - of.min));
    of.width -= cut;
    excess -= cut;
  }
  return shown;
}

/** `key:  value` lines; a null value is left out. */
export function formatPairs(pairs: readonly (readonly [key: string, value: string | number | null])[]): string {
  const shown = pairs.filter((pair): pair is readonly [string, string | number] => pair[1] !== null);
  const longest = largest(shown.map(([key]) => key.length));
  return shown
    .map(([key, value]) => `${`${key}:`.padEnd(longest + 1)}${GAP}${printable(String(value)) || '-'}\n`)
    .join('');
}

function width(text: string): number {
  return [...text].length;
}

function shorten(text: string, limit: number, keepEnd: boolean): string {
  const characters = [...text];
  if (characters.length <= limit) return text;
  const kept = limit - 1;
  return keepEnd ? `…${characters.slice(-kept).join('')}` : `${characters.slice(0, kept).join('')}…`;
}
