/** The `.env` file of Compose (the Compose specification, "Interpolation", and compose-go's reader of such files). */
import { C_ESCAPES } from '../c-escapes.ts';
import { BadVariable, expandText } from './interpolate.ts';

export interface DotEnv {
  readonly values: ReadonlyMap<string, string>;
  /** What was not taken as it stands, by line from 1. */
  readonly problems: readonly { readonly line: number; readonly message: string }[];
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...C_ESCAPES,
  '"': '"',
  '\\': '\\',
  // For the variables that are filled in afterwards, two are one that is meant.
  $: '$$',
};

const unescaped = (text: string): string =>
  text.replace(/\\(?:([abfnrtv$"\\])|0([0-7]{1,3}))/g, (_, letter: string | undefined, octal: string | undefined) =>
    letter === undefined ? String.fromCharCode(Number.parseInt(octal ?? '0', 8) & 0xff) : (ESCAPES[letter] ?? letter),
  );

/** Offset of the quote that ends what begins before `start`, or -1. A backslash takes the meaning of the next character. */
function closingQuote(text: string, quote: string, start: number): number {
  for (let offset = start; offset < text.length; offset++) {
    if (text[offset] === '\\') offset++;
    else if (text[offset] === quote) return offset;
  }
  return -1;
}

/** Lines that double a value each would grow without bound. */
const MAX_EXPANDED = 4 * 1024 ** 2;

class Reader {
  readonly #text: string;
  readonly #outer: ReadonlyMap<string, string>;
  readonly #values = new Map<string, string>();
  readonly #problems: { line: number; message: string }[] = [];
  #offset = 0;
  #line = 1;
  #expandedLength = 0;

  constructor(text: string, outer: ReadonlyMap<string, string>) {
    this.#text = text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
    this.#outer = outer;
  }

  read(): DotEnv {
    while (this.#offset < this.#text.length) this.#statement();
    return { values: this.#values, problems: this.#problems };
  }

  #advance(length: number): void {
    const passed = this.#text.slice(this.#offset, this.#offset + length);
    this.#line += passed.split('\n').length - 1;
    this.#offset += length;
  }

  #restOfLine(): string {
    const end = this.#text.indexOf('\n', this.#offset);
    return this.#text.slice(this.#offset, end < 0 ? undefined : end);
  }

  #statement(): void {
    const rest = this.#restOfLine();
    const assignment = /^\s*(?:export\s+)?([\p{L}\p{N}_.[\]-]+)\s*[=:][^\S\n]*/u.exec(rest);
    // A name alone takes its value from a shell, which there is not.
    const skipped = /^\s*(#.*)?$/.test(rest) || /^\s*(?:export\s+)?[\p{L}\p{N}_.[\]-]+\s*$/u.test(rest);
    if (assignment) {
      this.#advance(assignment[0].length);
      this.#assign(assignment[1] ?? '');
      return;
    }
    if (!skipped) this.#problem('this is no assignment and is left out');
    this.#advance(rest.length + 1);
  }

  #assign(name: string): void {
    const line = this.#line;
    const quote = this.#text[this.#offset] ?? '';
    const quoted = quote === '"' || quote === "'";
    const end = quoted ? closingQuote(this.#text, quote, this.#offset + 1) : -1;
    if (quoted && end < 0) {
      this.#problem(`the quote of ${name} is left open; it is left out`);
      this.#advance(this.#restOfLine().length + 1);
      return;
    }
    const value = quoted ? this.#quoted(quote, end, line) : this.#plain(line);
    // What the project says has precedence over its files.
    this.#values.set(name, this.#outer.get(name) ?? value);
  }

  #quoted(quote: string, end: number, line: number): string {
    const inside = this.#text.slice(this.#offset + 1, end);
    this.#advance(inside.length + 2);
    // A comment may follow; what else is there is not looked at by Compose either.
    const rest = this.#restOfLine();
    if (/^\s*(#.*)?$/.test(rest)) this.#advance(rest.length + 1);
    if (quote === "'") return inside.replaceAll("\\'", "'");
    return this.#expanded(unescaped(inside), line);
  }

  #plain(line: number): string {
    const rest = this.#restOfLine();
    this.#advance(rest.length + 1);
    const comment = rest.startsWith('#') ? 0 : rest.indexOf(' #');
    return this.#expanded((comment < 0 ? rest : rest.slice(0, comment)).trimEnd(), line);
  }

  #expanded(text: string, line: number): string {
    if (!text.includes('$')) return text;
    const unset = (name: string) => this.#problem(`the variable ${name} has no value before this line`, line);
    const get = (name: string) => this.#outer.get(name) ?? this.#values.get(name);
    try {
      const value = expandText(text, { get, unset });
      this.#expandedLength += value.length;
      if (this.#expandedLength <= MAX_EXPANDED) return value;
      throw new BadVariable('values grow too large when their variables are filled in');
    } catch (thrown) {
      if (!(thrown instanceof BadVariable)) throw thrown;
      this.#problem(`${thrown.message}; it is taken as written`, line);
      return text;
    }
  }

  #problem(message: string, line = this.#line): void {
    this.#problems.push({ line, message });
  }
}

/**
 * Values by name. Variables in values are filled in from the lines before and from `outer`, except in single quotes.
 * @param outer values that have precedence over those of the file
 */
export function parseDotEnv(text: string, outer: ReadonlyMap<string, string> = new Map()): DotEnv {
  return new Reader(text, outer).read();
}
