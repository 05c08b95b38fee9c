/** `--filter key=value` of Docker's commands. */
import { TsdError } from '../../../model/errors/errors.ts';

/** The query of the API; undefined without filters. @throws TsdError TSD_BAD_REQUEST for one without a value */
export function filtersOf(words: readonly string[] | undefined): string | undefined {
  if (words === undefined) return undefined;
  const filters: Record<string, string[]> = {};
  for (const word of words) {
    const at = word.indexOf('=');
    if (at < 1) {
      throw new TsdError('TSD_BAD_REQUEST', `--filter ${word}: a filter is KEY=VALUE`, {
        hint: 'For example --filter status=exited, --filter label=tier=front.',
      });
    }
    const key = word.slice(0, at);
    filters[key] = [...(filters[key] ?? []), word.slice(at + 1)];
  }
  return JSON.stringify(filters);
}
