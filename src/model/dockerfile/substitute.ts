/**
 * Words of an instruction and the variables in them, as the Dockerfile reference has them: single quotes keep everything,
 * double quotes keep white space, the escape character takes the next one as it is.
 */
import { PatternError, type TextGlobs, textGlobs } from '../text/glob.ts';

export interface SubstituteOptions {
  readonly escapeCharacter: '\\' | '`';
  /** Null: variables stay as they are written. */
  readonly lookup: ((name: string) => string | undefined) | null;
  /** Quotes and escapes stay as written: bodies of here-documents. */
  readonly keepQuotes?: boolean;
}

/** MAX_ARG_STRLEN (linux/binfmts.h): execve refuses a longer argument or `NAME=value`. */
const MAX_WORD = 131_072;
/** Of a here-document's body, which becomes a file. */
const MAX_BODY = 16 * 1024 ** 2;
/** References inside the words of others. */
const MAX_DEPTH = 32;
/** Characters that one replacement may look at: more than any value that people cut or replace in. */
const MAX_STEPS = 500_000;

/** What is wrong with a word; the caller knows the place. */
export class WordError extends Error {}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

class Lexer {
  readonly #text: string;
  readonly #options: SubstituteOptions;
  readonly #maxLength: number;
  #at = 0;
  #depth = 0;

  constructor(text: string, options: SubstituteOptions) {
    this.#text = text;
    this.#options = options;
    this.#maxLength = options.keepQuotes === true ? MAX_BODY : MAX_WORD;
  }

  /** Everything as one word. */
  word(): string {
    return this.#until(null).text;
  }

  /** Parted by white space outside of quotes. Variables do not part words. */
  words(): string[] {
    const found: string[] = [];
    for (;;) {
      while (/\s/.test(this.#text[this.#at] ?? '')) this.#at += 1;
      if (this.#at >= this.#text.length) return found;
      found.push(this.#until('space').text);
    }
  }

  /** @param end `space` stops at white space, `}` at the end of a modifier's word; null takes all. */
  #until(end: 'space' | '}' | null): { readonly text: string } {
    let result = '';
    while (this.#at < this.#text.length) {
      const char = this.#text[this.#at] as string;
      if (end === 'space' && /\s/.test(char)) break;
      if (end === '}' && char === '}') break;
      if (char === this.#options.escapeCharacter) result += this.#escaped(this.#options.keepQuotes === true);
      else if (char === "'" && !this.#options.keepQuotes) result += this.#single();
      else if (char === '"' && !this.#options.keepQuotes) result += this.#double();
      else if (char === '$') result += this.#dollar();
      else {
        result += char;
        this.#at += 1;
      }
      this.#requireBounded(result);
    }
    return { text: result };
  }

  /** A variable that holds itself twice doubles with each line. */
  #requireBounded(result: string): void {
    if (result.length > this.#maxLength)
      throw new WordError(`it grows longer than ${this.#maxLength / 1024} KiB when its variables are filled in`);
  }

  #escaped(keep: boolean): string {
    const next = this.#text[this.#at + 1];
    this.#at += 2;
    if (next === undefined) return this.#options.escapeCharacter;
    if (!keep) return next;
    return next === '$' || next === this.#options.escapeCharacter ? next : `${this.#options.escapeCharacter}${next}`;
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) throw new WordError('a single quote is not closed');
    const inner = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return inner;
  }

  #double(): string {
    let result = '';
    this.#at += 1;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) throw new WordError('a double quote is not closed');
      if (char === '"') {
        this.#at += 1;
        return result;
      }
      if (char === '$') result += this.#dollar();
      else if (char === this.#options.escapeCharacter) {
        const next = this.#text[this.#at + 1];
        if (next === undefined) throw new WordError('a double quote is not closed');
        result += next === '"' || next === '$' || next === this.#options.escapeCharacter ? next : `${char}${next}`;
        this.#at += 2;
      } else {
        result += char;
        this.#at += 1;
      }
      this.#requireBounded(result);
    }
  }

  #dollar(): string {
    const { lookup } = this.#options;
    this.#at += 1;
    if (lookup === null) return '$';
    if (this.#text[this.#at] === '{') return this.#braces(lookup);
    const name = NAME.exec(this.#text.slice(this.#at))?.[0];
    if (name === undefined) return '$';
    this.#at += name.length;
    return lookup(name) ?? '';
  }

  #braces(lookup: (name: string) => string | undefined): string {
    const start = this.#at - 1;
    this.#at += 1;
    const name = NAME.exec(this.#text.slice(this.#at))?.[0];
    const bad = (): WordError => new WordError(`${this.#text.slice(start, this.#at + 1)} is no variable reference`);
    if (name === undefined) throw bad();
    this.#at += name.length;
    const value = lookup(name);
    const operator = /^(:?[-+?]|%%?|##?|\/\/?)/.exec(this.#text.slice(this.#at))?.[0] ?? '';
    this.#at += operator.length;
    if (operator === '' && this.#text[this.#at] !== '}') throw bad();
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw new WordError(`variables stand more than ${MAX_DEPTH} deep in each other`);
    const word = this.#until('}').text;
    this.#depth -= 1;
    if (this.#text[this.#at] !== '}') throw new WordError(`${this.#text.slice(start)} has no closing brace`);
    this.#at += 1;
    return modified(name, value, operator, word);
  }
}

function modified(name: string, value: string | undefined, operator: string, word: string): string {
  const colon = operator.startsWith(':');
  const isSet = value !== undefined && !(colon && value === '');
  switch (operator.replace(':', '')) {
    case '':
      return value ?? '';
    case '-':
      return isSet ? value : word;
    case '+':
      return isSet ? word : '';
    case '?':
      if (isSet) return value;
      throw new WordError(`${name}: ${word === '' ? 'is not set' : word}`);
    default:
      return withoutPattern(value ?? '', operator, word);
  }
}

/** `#` and `%` take the pattern from the beginning or the end, doubled the longest match; `/` replaces it. */
function withoutPattern(value: string, operator: string, word: string): string {
  if (operator.startsWith('/')) return replaced(value, operator === '//', word);
  const { forwards, backwards } = globsOf(word);
  const isPrefix = operator.startsWith('#');
  const ends = isPrefix ? forwards.ends(value) : backwards.ends(reversed(value));
  const length = ends.at(operator.length === 2 ? -1 : 0) ?? 0;
  return isPrefix ? value.slice(length) : value.slice(0, value.length - length);
}

const reversed = (text: string): string => text.split('').reverse().join('');

function globsOf(pattern: string): TextGlobs {
  try {
    return textGlobs(pattern);
  } catch (error) {
    if (error instanceof PatternError) throw new WordError(`the pattern ${pattern} ${error.message}`);
    throw error;
  }
}

/** The longest match at the first place that has one, or at each that follows. @param word `pattern/replacement` */
function replaced(value: string, all: boolean, word: string): string {
  const slash = word.indexOf('/');
  const pattern = slash < 0 ? word : word.slice(0, slash);
  const replacement = slash < 0 ? '' : word.slice(slash + 1);
  const { forwards } = globsOf(pattern);
  let steps = 0;
  const step = (): void => {
    steps += 1;
    if (steps > MAX_STEPS) throw new WordError(`the pattern ${pattern} takes too long to find in so long a value`);
  };
  let result = '';
  let at = 0;
  while (at < value.length) {
    const length = forwards.ends(value.slice(at), step).at(-1) ?? 0;
    result += length === 0 ? value.charAt(at) : replacement;
    if (result.length > MAX_WORD)
      throw new WordError(`it grows longer than ${MAX_WORD / 1024} KiB when ${pattern} is replaced`);
    at += Math.max(1, length);
    if (length > 0 && !all) break;
  }
  return result + value.slice(at);
}

/** The text as one word. @throws WordError. */
export function substituteWord(text: string, options: SubstituteOptions): string {
  return new Lexer(text, options).word();
}

/** The text as words. @throws WordError. */
export function substituteWords(text: string, options: SubstituteOptions): string[] {
  return new Lexer(text, options).words();
}
