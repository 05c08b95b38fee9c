/** Files of environment variables, by the rules of `docker run --env-file` (Docker 1.4, opts/envfile.go). */

export interface EnvFile {
  readonly values: ReadonlyMap<string, string>;
  /** What is wrong, by line from 1. */
  readonly problems: readonly { readonly line: number; readonly message: string }[];
}

/**
 * `NAME=value` a line; the value is taken as it is, quotes and blanks included. Empty lines and lines that start with `#`
 * are skipped. Docker's `NAME` alone means the client's own variable: a supervisor has none to give, so it is refused.
 */
export function parseEnvFile(text: string): EnvFile {
  const values = new Map<string, string>();
  const problems: { line: number; message: string }[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const line = raw.replace(/\r$/, '').trimStart();
    if (line === '' || line.startsWith('#')) continue;
    const equals = line.indexOf('=');
    const name = equals < 0 ? line : line.slice(0, equals);
    if (equals < 0) problems.push({ line: index + 1, message: `"${excerpt(name)}" has no "="` });
    else if (name === '' || /\s/.test(name)) {
      problems.push({ line: index + 1, message: `the name "${excerpt(name)}" is empty or has white space` });
    } else if (line.includes('\0')) problems.push({ line: index + 1, message: `"${excerpt(name)}" has a NUL byte` });
    else values.set(name, line.slice(equals + 1));
  }
  return { values, problems };
}

/** Names only, and short: values of env files are often secrets. */
const excerpt = (name: string): string => name.slice(0, 40).replace(/[\p{Cc}\p{Bidi_C}]/gu, '?');
