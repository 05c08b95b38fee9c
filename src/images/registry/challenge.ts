/** WWW-Authenticate of RFC 9110, as registries use it. */

export interface Challenge {
  /** Lower case: `basic`, `bearer`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

const SCHEME = /^\s*,?\s*([a-z][a-z0-9-]*)(?:\s+|$)/i;
const PARAMETER = /^\s*,?\s*([a-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/i;

/** More than registries send. */
const MAX_HEADER = 2_048;

/** The challenges of a header, in order. What is not understood, or too long, ends the list. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = header.slice(0, MAX_HEADER);
  for (;;) {
    const parameter = challenges.length === 0 ? null : PARAMETER.exec(rest);
    if (parameter !== null) {
      const [all, name = '', quoted, plain = ''] = parameter;
      challenges.at(-1)?.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain);
      rest = rest.slice(all.length);
      continue;
    }
    const scheme = SCHEME.exec(rest);
    if (scheme === null) return challenges;
    challenges.push({ scheme: (scheme[1] ?? '').toLowerCase(), parameters: new Map() });
    rest = rest.slice(scheme[0].length);
  }
}
