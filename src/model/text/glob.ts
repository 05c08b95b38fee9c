/**
 * Patterns of `*`, `?`, sets and `**`, matched in one pass over the text: the time grows with the length of the text times
 * that of the pattern, whatever both are (Thompson's construction, regular expressions backtrack). Pure.
 */

type Test = (char: string) => boolean;

/**
 * One state of the automaton. `one` takes a character and advances, `many` takes characters and stays, `skip` may advance or
 * leave out the state after it (a part of the pattern that may be missing), `part` takes characters and advances after a slash.
 */
type State =
  | { readonly type: 'one' | 'many'; readonly takes: Test }
  | { readonly type: 'skip' }
  | { readonly type: 'part' };

const isSlash: Test = (char) => char === '/';
const any: Test = () => true;
const anyButSlash: Test = (char) => char !== '/';

/** The states that are active after some characters, each once. */
class Active {
  readonly #states: readonly State[];
  readonly #marked: Uint8Array;
  readonly list: number[] = [];

  constructor(states: readonly State[]) {
    this.#states = states;
    this.#marked = new Uint8Array(states.length + 1);
  }

  get accepts(): boolean {
    return this.#marked[this.#states.length] === 1;
  }

  add(index: number): void {
    if (this.#marked[index] === 1) return;
    this.#marked[index] = 1;
    this.list.push(index);
    const state = this.#states[index];
    if (state?.type === 'many') this.add(index + 1);
    else if (state?.type === 'skip') {
      this.add(index + 1);
      this.add(index + 2);
    }
  }

  clear(): void {
    for (const index of this.list) this.#marked[index] = 0;
    this.list.length = 0;
  }
}

export class Glob {
  readonly #states: readonly State[];

  constructor(states: readonly State[]) {
    this.#states = states;
  }

  /** Those of its states that may be busy at every character of a text. */
  get wildcards(): number {
    return this.#states.filter(({ type }) => type === 'many' || type === 'part').length;
  }

  /** True when the whole text matches. */
  test(text: string): boolean {
    return this.ends(text).at(-1) === text.length;
  }

  /** True when a path matches, or a directory on the way to it. */
  testPath(path: string): boolean {
    return this.ends(path).some((end) => end === path.length || path[end] === '/');
  }

  /**
   * Lengths of the beginnings of a text that match, the shortest first.
   * @param onStep is called for each character that is looked at.
   */
  ends(text: string, onStep?: () => void): number[] {
    const found: number[] = [];
    let active = new Active(this.#states);
    let next = new Active(this.#states);
    active.add(0);
    for (let at = 0; ; at++) {
      if (active.accepts) found.push(at);
      if (at === text.length || active.list.length === 0) return found;
      onStep?.();
      this.#step(active, next, text[at] as string);
      active.clear();
      [active, next] = [next, active];
    }
  }

  #step(active: Active, next: Active, char: string): void {
    for (const index of active.list) {
      const state = this.#states[index];
      if (state?.type === 'one' && state.takes(char)) next.add(index + 1);
      else if (state?.type === 'many' && state.takes(char)) next.add(index);
      else if (state?.type === 'part') {
        next.add(index);
        if (char === '/') next.add(index + 1);
      }
    }
  }
}

const one = (takes: Test): State => ({ type: 'one', takes });
const many = (takes: Test): State => ({ type: 'many', takes });
/** Of each character one state, which all its places share: a pattern may be a megabyte long. */
const LITERALS = new Map<string, State>();
function literal(char: string): State {
  const known = LITERALS.get(char) ?? one((other) => other === char);
  LITERALS.set(char, known);
  return known;
}

/** More `*` in one pattern than people write; each may keep one state more busy. */
const MAX_WILDCARDS = 32;

/** What is wrong with a pattern, in words that follow it: `is no pattern`. */
export class PatternError extends Error {}

const malformed = (): PatternError => new PatternError('is no pattern');

/** @throws PatternError */
function bounded(states: readonly State[]): Glob {
  const glob = new Glob(states);
  if (glob.wildcards > MAX_WILDCARDS) throw new PatternError(`has more than ${MAX_WILDCARDS} wildcards`);
  return glob;
}

/** Characters and ranges of a set without its brackets, as `a-c\]`. Null where a range ends before it begins. */
function setTest(inner: string): Test | null {
  const tokens = [...inner.matchAll(/\\(.)|[^\\]/gs)].map(([text, escaped]) => ({
    char: escaped ?? text,
    isDash: text === '-',
  }));
  const ranges: (readonly [from: number, to: number])[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const from = tokens[at]?.char.codePointAt(0) as number;
    const isRange = tokens[at + 1]?.isDash === true && tokens[at + 2] !== undefined;
    const to = isRange ? (tokens[at + 2]?.char.codePointAt(0) as number) : from;
    if (to < from) return null;
    ranges.push([from, to]);
    if (isRange) at += 2;
  }
  return (char) => {
    const code = char.codePointAt(0) as number;
    return ranges.some(([from, to]) => code >= from && code <= to);
  };
}

/** `[abc]`, `[^a-c]` at the beginning of a text: its length and what it takes. Null where it is malformed. */
function readSet(text: string): { readonly length: number; readonly state: State } | null {
  const found = /^\[(\^?)((?:\\.|[^\]\\])+)\]/s.exec(text);
  const inner = found === null ? null : setTest(found[2] as string);
  if (found === null || inner === null) return null;
  const isNegated = found[1] === '^';
  return { length: found[0].length, state: one((char) => !isSlash(char) && inner(char) !== isNegated) };
}

/** A pattern of Go's filepath.Match, and `**` for any number of directories. @throws PatternError */
export function pathGlob(pattern: string): Glob {
  const states: State[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] as string;
    if (char === '*' && pattern.startsWith('**/', at)) {
      states.push({ type: 'skip' }, { type: 'part' });
      at += 2;
    } else if (char === '*' && pattern[at + 1] === '*') {
      states.push(many(any));
      at += 1;
    } else if (char === '*') states.push(many(anyButSlash));
    else if (char === '?') states.push(one(anyButSlash));
    else if (char === '[') {
      const set = readSet(pattern.slice(at));
      if (set === null) throw malformed();
      states.push(set.state);
      at += set.length - 1;
    } else if (char === '\\') {
      at += 1;
      if (at >= pattern.length) throw malformed();
      states.push(literal(pattern[at] as string));
    } else states.push(literal(char));
  }
  return bounded(states);
}

/** What a shell pattern of `*`, `?` and escaped characters matches, each of them a slash too. */
function textStates(pattern: string): State[] {
  const states: State[] = [];
  for (const [token, escaped] of pattern.matchAll(/\\(.)|./gs)) {
    if (token === '*') states.push(many(any));
    else states.push(token === '?' ? one(any) : literal(escaped ?? token));
  }
  return states;
}

export interface TextGlobs {
  /** Of the beginning of a text. */
  readonly forwards: Glob;
  /** Of the beginning of a text that is written backwards. */
  readonly backwards: Glob;
}

/** A shell pattern as `${NAME#pattern}` has it. @throws PatternError */
export function textGlobs(pattern: string): TextGlobs {
  const states = textStates(pattern);
  return { forwards: bounded(states), backwards: bounded([...states].reverse()) };
}
