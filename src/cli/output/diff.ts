/** Differences of fields as `diff` and `history --diff` print them. */
import type { DiffView } from '../../api/views/plan-views.ts';
import { shownValue } from '../../model/text/shown-value.ts';
import type { CliContext } from '../context.ts';
import { paint, printable } from './text.ts';

export const SIGN = { added: ['green', '+'], removed: ['red', '-'], changed: ['yellow', '~'] } as const;

export function formatDifferences(context: CliContext, differences: readonly DiffView[]): string {
  if (differences.length === 0) return 'No differences.';
  return differences.map((difference) => formatDifference(context, difference)).join('\n');
}

function formatDifference(context: CliContext, difference: DiffView): string {
  const [style, sign] = SIGN[difference.change];
  const title = paint(context.streams, context.streams.stdout, style, `${sign} ${printable(difference.resource)}`);
  const fields = difference.fields.map(({ path, from, to, change }) => {
    const [before, after] = [shownValue(path, from), shownValue(path, to)];
    const values = difference.change === 'added' ? after : `${before} -> ${after}`;
    return `    ${printable(path)}: ${difference.change === 'removed' ? before : values}${cost(change)}`;
  });
  return [title, ...fields].join('\n');
}

function cost(change: string): string {
  return change === '' ? '' : `  (${change})`;
}
