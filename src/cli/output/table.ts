import type { CliContext } from '../context.ts';
import { paint, printable, type Style } from './text.ts';

export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly style?: (row: Row) => Style | null;
}

const GAP = '  ';
const MIN_LAST_WIDTH = 12;

/**
 * Lines of aligned columns under their titles. On a terminal the last column is cut to its width, so that a row stays
 * a line; into a pipe everything is written.
 */
export function formatTable<Row>(context: CliContext, columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const { streams } = context;
  const cells = rows.map((row) => columns.map((column) => printable(column.value(row)) || '-'));
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...cells.map((line) => width(line[index] as string))),
  );
  const used = widths.slice(0, -1).reduce((sum, columnWidth) => sum + columnWidth + GAP.length, 0);
  const last = streams.stdout.isTTY
    ? Math.max(MIN_LAST_WIDTH, (streams.stdout.columns ?? 80) - used)
    : Number.POSITIVE_INFINITY;
  const line = (texts: readonly string[], style: (index: number) => Style | null) =>
    texts
      .map((text, index) => {
        const isLast = index === texts.length - 1;
        const cut = isLast ? shorten(text, last) : text;
        const chosen = style(index);
        const painted = chosen === null ? cut : paint(streams, streams.stdout, chosen, cut);
        return isLast ? painted : painted + ' '.repeat((widths[index] as number) - width(cut));
      })
      .join(GAP)
      .trimEnd();
  const titles = line(
    columns.map((column) => column.title),
    () => 'bold',
  );
  const body = cells.map((texts, row) => line(texts, (index) => columns[index]?.style?.(rows[row] as Row) ?? null));
  return `${[titles, ...body].join('\n')}\n`;
}

/** `key:  value` lines; a null value is left out. */
export function formatPairs(pairs: readonly (readonly [key: string, value: string | number | null])[]): string {
  const shown = pairs.filter((pair): pair is readonly [string, string | number] => pair[1] !== null);
  const longest = Math.max(...shown.map(([key]) => key.length));
  return shown
    .map(([key, value]) => `${`${key}:`.padEnd(longest + 1)}${GAP}${printable(String(value)) || '-'}\n`)
    .join('');
}

function width(text: string): number {
  return [...text].length;
}

function shorten(text: string, limit: number): string {
  const characters = [...text];
  return characters.length <= limit ? text : `${characters.slice(0, limit - 1).join('')}…`;
}
