/** The rules of .dockerignore files, as Docker's own matcher has them. Pure. */

interface IgnoreRule {
  readonly negated: boolean;
  readonly expression: RegExp;
  /** The part of the pattern before its first wildcard, cut at a slash. */
  readonly fixed: string;
}

export interface IgnoreMatcher {
  /** True for a path that is left out. @param path relative, with slashes. */
  ignores(path: string): boolean;
  /** False when nothing below an ignored directory can be wanted again by a `!` rule. */
  mayHoldWanted(directory: string): boolean;
}

/** Path without `.`, empty parts and `..` where that is known, as Go's path.Clean gives it for relative paths. */
function clean(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..') parts.push(part);
  }
  return parts.join('/');
}

/**
 * A pattern of Go's filepath.Match, and `**` for any number of directories, as a regular expression. `null` where it is
 * malformed.
 */
export function globExpression(pattern: string): RegExp | null {
  let source = '^';
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] as string;
    if (char === '*' && pattern[at + 1] === '*') {
      at += 1;
      if (pattern[at + 1] === '/') {
        at += 1;
        source += '(?:.*/)?';
      } else source += '.*';
    } else if (char === '*') source += '[^/]*';
    else if (char === '?') source += '[^/]';
    else if (char === '[') {
      const set = /^\[\^?(?:\\.|[^\]\\])+\]/s.exec(pattern.slice(at))?.[0];
      if (set === undefined) return null;
      source += set.replace(/^\[(\^?)(.*)\]$/s, (_all, not: string, inner: string) => {
        const escaped = inner.replace(/\\(.)|[[&~|]/gs, (token, own?: string) => `\\${own ?? token}`);
        return `(?!/)[${not}${escaped}]`;
      });
      at += set.length - 1;
    } else if (char === '\\') {
      at += 1;
      if (at >= pattern.length) return null;
      source += escapeCharacter(pattern[at] as string);
    } else source += escapeCharacter(char);
  }
  try {
    return new RegExp(`${source}$`, 's');
  } catch {
    return null;
  }
}

const escapeCharacter = (char: string): string => char.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');

/** Rules of the file's lines; a line that is no pattern is returned in `problems` with its number from 1. */
export function parseIgnoreFile(text: string): {
  readonly matcher: IgnoreMatcher;
  readonly problems: readonly { readonly line: number; readonly text: string }[];
} {
  const rules: IgnoreRule[] = [];
  const problems: { line: number; text: string }[] = [];
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    if (line.startsWith('#')) continue;
    const written = line.trim();
    if (written === '') continue;
    const negated = written.startsWith('!');
    const pattern = clean((negated ? written.slice(1).trim() : written).replace(/^\/+/, ''));
    const expression = pattern === '' ? null : globExpression(pattern);
    // `.` and `/` mean the whole context, which Docker's matcher never leaves out.
    if (pattern === '' && !(negated && written.length === 1)) continue;
    if (expression === null) problems.push({ line: index + 1, text: written });
    else rules.push({ negated, expression, fixed: fixedPart(pattern) });
  }
  return { matcher: new Rules(rules), problems };
}

function fixedPart(pattern: string): string {
  const wildcard = pattern.search(/[*?[\\]/);
  if (wildcard < 0) return pattern;
  return pattern
    .slice(0, wildcard)
    .replace(/[^/]*$/, '')
    .replace(/\/$/, '');
}

class Rules implements IgnoreMatcher {
  readonly #rules: readonly IgnoreRule[];

  constructor(rules: readonly IgnoreRule[]) {
    this.#rules = rules;
  }

  /** The last rule that matches the path or a directory above it decides. */
  ignores(path: string): boolean {
    let ignored = false;
    const above = ancestorsAndSelf(path);
    for (const { negated, expression } of this.#rules) {
      if (negated !== ignored) continue;
      if (above.some((candidate) => expression.test(candidate))) ignored = !negated;
    }
    return ignored;
  }

  mayHoldWanted(directory: string): boolean {
    return this.#rules.some(
      ({ negated, fixed }) =>
        negated &&
        (fixed === '' || fixed === directory || fixed.startsWith(`${directory}/`) || directory.startsWith(`${fixed}/`)),
    );
  }
}

function ancestorsAndSelf(path: string): string[] {
  const found = [path];
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    found.push(path.slice(0, slash));
  }
  return found;
}

/** Nothing is ignored. */
export const IGNORE_NOTHING: IgnoreMatcher = { ignores: () => false, mayHoldWanted: () => false };

/** Files of a context that may say what is ignored; the first that is there counts. @param dockerfile null: given as text. */
export function ignoreFileNames(dockerfile: string | null): readonly string[] {
  const own = dockerfile === null || dockerfile.startsWith('/') ? [] : [`${dockerfile}.dockerignore`];
  return [...own, '.dockerignore'];
}
