/** The rules of .dockerignore files, as Docker's own matcher has them. Pure. */
import { type Glob, PatternError, pathGlob } from './glob.ts';
import { shortened } from './text-controls.ts';

interface IgnoreRule {
  readonly negated: boolean;
  readonly glob: Glob;
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

/** Of a line that cannot be used. */
const MAX_SHOWN = 500;

/** Wildcards of all rules together: each path of a context is matched with all of them. */
const MAX_WILDCARDS = 800;

export interface IgnoreProblem {
  /** From 1. */
  readonly line: number;
  /** The line as written, quoted, and what is wrong with it. */
  readonly message: string;
}

/** Rules of the file's lines, and the lines that cannot be used. */
export function parseIgnoreFile(text: string): {
  readonly matcher: IgnoreMatcher;
  readonly problems: readonly IgnoreProblem[];
} {
  const rules: IgnoreRule[] = [];
  const problems: IgnoreProblem[] = [];
  let wildcards = 0;
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    if (line.startsWith('#')) continue;
    const written = line.trim();
    if (written === '') continue;
    const negated = written.startsWith('!');
    const pattern = clean((negated ? written.slice(1).trim() : written).replace(/^\/+/, ''));
    // `.` and `/` mean the whole context, which Docker's matcher never leaves out.
    if (pattern === '' && !(negated && written.length === 1)) continue;
    try {
      if (pattern === '') throw new PatternError('is no pattern');
      const glob = pathGlob(pattern);
      wildcards += glob.wildcards;
      if (wildcards > MAX_WILDCARDS)
        throw new PatternError(`is one wildcard too many; the file may have ${MAX_WILDCARDS}`);
      rules.push({ negated, glob, fixed: fixedPart(pattern) });
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
      problems.push({ line: index + 1, message: `${JSON.stringify(shortened(written, MAX_SHOWN))} ${error.message}` });
      if (wildcards > MAX_WILDCARDS) break;
    }
  }
  return { matcher: new Rules(rules), problems };
}

function fixedPart(pattern: string): string {
  const wildcard = pattern.search(/[*?[\\]/);
  if (wildcard < 0) return pattern;
  const slash = pattern.lastIndexOf('/', wildcard);
  return slash < 0 ? '' : pattern.slice(0, slash);
}

class Rules implements IgnoreMatcher {
  readonly #rules: readonly IgnoreRule[];

  constructor(rules: readonly IgnoreRule[]) {
    this.#rules = rules;
  }

  /** The last rule that matches the path or a directory above it decides. */
  ignores(path: string): boolean {
    let ignored = false;
    for (const { negated, glob, fixed } of this.#rules) {
      if (negated === ignored && path.startsWith(fixed) && glob.testPath(path)) ignored = !negated;
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

/** Nothing is ignored. */
export const IGNORE_NOTHING: IgnoreMatcher = { ignores: () => false, mayHoldWanted: () => false };

/** Files of a context that may say what is ignored; the first that is there counts. @param dockerfile null: given as text. */
export function ignoreFileNames(dockerfile: string | null): readonly string[] {
  const own = dockerfile === null || dockerfile.startsWith('/') ? [] : [`${dockerfile}.dockerignore`];
  return [...own, '.dockerignore'];
}
