/** Names that an action of a command cannot do without. */
import { TsdError } from '../../../model/errors/errors.ts';

export function requireNames(names: readonly string[], command: string): void {
  if (names.length > 0) return;
  throw new TsdError('TSD_BAD_REQUEST', `${command} needs a name`, { hint: `\`${command} NAME\`` });
}
