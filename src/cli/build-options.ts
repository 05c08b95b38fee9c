import { TsdError } from '../model/errors/errors.ts';

/** `NAME=VALUE` options as an object; the last of a name counts. @throws TSD_BAD_REQUEST naming the option. */
export function parsePairs(
  written: readonly string[],
  option: string,
  value: (text: string) => string,
): Record<string, string> {
  return Object.fromEntries(
    written.map((text) => {
      const equals = text.indexOf('=');
      if (equals <= 0) throw new TsdError('TSD_BAD_REQUEST', `${option} ${text} is not NAME=VALUE`);
      return [text.slice(0, equals), value(text.slice(equals + 1))];
    }),
  );
}
