/** One a line; nothing at all for none, so that scripts find nothing. */
import type { CliContext } from '../../context.ts';

export function printLines(context: CliContext, lines: readonly string[]): void {
  if (lines.length > 0) context.print(lines.join('\n'));
}
