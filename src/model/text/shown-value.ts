/** Field values as shown in differences. */

/** `30s`, `1m30s`, `256MiB`: values that need no quotes in text. */
const MEASURE = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$|^\d+(?:\.\d+)?\s?[kmgt](?:i?b?|bit)$/i;
/** What people name themselves: text of theirs is always quoted. */
const OWN_TEXT = /^(?:env|labels)\./;

/** `unset`, `"text"`, `30s`, `["8080:80"]`. @param path of the field, as written in a manifest */
export function shownValue(path: string, value: unknown): string {
  if (value === undefined || value === null) return 'unset';
  if (typeof value === 'string' && MEASURE.test(value) && !OWN_TEXT.test(path)) return value;
  return JSON.stringify(value);
}

/** What stays of a beginning that two texts share. */
const KEPT_PREFIX = 8;

function sharedPrefix(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/** Two texts cut so that where they differ is seen. */
export function shortPair(from: string, to: string, limit: number): readonly [string, string] {
  const tooLong = Math.max(from.length, to.length) > limit;
  const skip = tooLong ? Math.max(0, sharedPrefix(from, to) - KEPT_PREFIX) : 0;
  const short = (text: string): string => {
    const rest = skip > 0 && text.length > skip ? `…${text.slice(skip)}` : text;
    return rest.length > limit ? `${rest.slice(0, limit - 1)}…` : rest;
  };
  return [short(from), short(to)];
}

const UNITS_OF_TIME = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
] as const;

/** Milliseconds as a manifest writes them: `1m30s`. */
export function writtenDuration(ms: number): string {
  let rest = ms;
  let text = '';
  for (const [unit, size] of UNITS_OF_TIME) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text === '' ? '0s' : text;
}

const UNITS_OF_SIZE = ['TiB', 'GiB', 'MiB', 'KiB'] as const;

/** Bytes as a manifest writes them: `256MiB`, without a rest that would be lost. */
export function writtenSize(bytes: number): string {
  for (const [index, unit] of UNITS_OF_SIZE.entries()) {
    const size = 1024 ** (UNITS_OF_SIZE.length - index);
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}`;
}
