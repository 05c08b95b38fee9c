/**
 * Words of an instruction and the variables in them, as the Dockerfile reference has them: single quotes keep everything,
 * double quotes keep white space, the escape character takes the next one as it is.
 */

export interface SubstituteOptions {
  readonly escapeCharacter: '\\' | '`';
  /** Null: variables stay as they are written. */
  readonly lookup: ((name: string) => string | undefined) | null;
  /** Quotes and escapes stay as written: bodies of here-documents. */
  readonly keepQuotes?: boolean;
}

/** What is wrong with a word; the caller knows the place. */
export class WordError extends Error {}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

class Lexer {
  readonly #text: string;
  readonly #options: SubstituteOptions;
  #at = 0;

  constructor(text: string, options: SubstituteOptions) {
    this.#text = text;
    this.#options = options;
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
    }
    return { text: result };
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
    const word = this.#until('}').text;
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
  if (operator.startsWith('/')) {
    const slash = word.indexOf('/');
    const pattern = slash < 0 ? word : word.slice(0, slash);
    const replacement = slash < 0 ? '' : word.slice(slash + 1);
    return value.replace(new RegExp(globSource(pattern, true), operator === '//' ? 'g' : ''), () => replacement);
  }
  const greedy = operator.length === 2;
  if (operator.startsWith('#')) return value.replace(new RegExp(`^${globSource(word, greedy)}`, 's'), '');
  const inner = globSource(word, true);
  for (let step = 0; step <= value.length; step++) {
    const at = greedy ? step : value.length - step;
    if (new RegExp(`^${inner}$`, 's').test(value.slice(at))) return value.slice(0, at);
  }
  return value;
}

/** A shell pattern of `*`, `?` and escaped characters as the source of a regular expression. */
function globSource(pattern: string, greedy: boolean): string {
  return pattern.replace(/\\(.)|[\\^$.*+?()[\]{}|]/gs, (token, escaped?: string) => {
    if (token === '*') return greedy ? '.*' : '.*?';
    if (token === '?') return '.';
    return `\\${escaped ?? token}`;
  });
}

/** The text as one word. @throws WordError. */
export function substituteWord(text: string, options: SubstituteOptions): string {
  return new Lexer(text, options).word();
}

/** The text as words. @throws WordError. */
export function substituteWords(text: string, options: SubstituteOptions): string[] {
  return new Lexer(text, options).words();
}
