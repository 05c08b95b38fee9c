/** Unit files of systemd (systemd.syntax(7)): sections, continued lines, specifiers, quoted words. */

import { basename } from 'node:path';
import type { SourcePosition } from '../../../model/resource.ts';
import type { NamedText } from '../bundle.ts';
import { C_ESCAPES } from '../c-escapes.ts';
import type { Draft } from '../draft.ts';

/** A name and value as written, with continued lines joined. */
interface Line {
  readonly section: string;
  readonly key: string;
  readonly value: string;
  readonly position: SourcePosition;
}

export interface UnitName {
  /** `web@blue.container` */
  readonly file: string;
  /** `web@blue` */
  readonly stem: string;
  readonly type: string;
  /** `web` */
  readonly prefix: string;
  /** `blue`; empty for a template and null for a plain unit. */
  readonly instance: string | null;
}

export function unitName(path: string): UnitName {
  const file = basename(path);
  const dot = file.lastIndexOf('.');
  const stem = file.slice(0, dot);
  const at = stem.indexOf('@');
  const prefix = at < 0 ? stem : stem.slice(0, at);
  return { file, stem, type: file.slice(dot + 1), prefix, instance: at < 0 ? null : stem.slice(at + 1) };
}

/** Fixed values of systemd.unit(5), "Specifiers", for a service of the system and of root. */
const FIXED: Readonly<Record<string, string>> = {
  '%': '%',
  C: '/var/cache',
  E: '/etc',
  G: '0',
  L: '/var/log',
  S: '/var/lib',
  T: '/tmp',
  U: '0',
  V: '/var/tmp',
  g: 'root',
  h: '/root',
  s: '/bin/sh',
  t: '/run',
  u: 'root',
};

function specifier(letter: string, unit: UnitName): string | null {
  const name = unit.instance === null ? unit.stem : `${unit.prefix}@${unit.instance}`;
  const own: Readonly<Record<string, string>> = {
    n: `${name}.service`,
    N: name,
    p: unit.prefix,
    P: unit.prefix.replaceAll('-', '/'),
    i: unit.instance ?? '',
    I: (unit.instance ?? '').replaceAll('-', '/'),
    j: unit.prefix.slice(unit.prefix.lastIndexOf('-') + 1),
  };
  return own[letter] ?? FIXED[letter] ?? null;
}

/** One value of a unit. */
export class Entry {
  readonly section: string;
  readonly key: string;
  readonly at: SourcePosition;
  /** Specifiers filled in. */
  readonly value: string;
  readonly #draft: Draft;

  constructor({ section, key, value, position }: Line, unit: UnitName, draft: Draft) {
    this.section = section;
    this.key = key;
    this.at = position;
    this.#draft = draft;
    this.value = value.replace(/%(.)/g, (written, letter: string) => {
      const filled = specifier(letter, unit);
      if (filled === null) draft.refuse(position, `the specifier ${written} depends on the host; write its value`);
      return filled ?? written;
    });
  }

  /** The value without quotes around the whole. */
  text(): string {
    const quoted = /^(["'])([\s\S]*)\1$/.exec(this.value);
    return quoted?.[2] ?? this.value;
  }

  boolean(): boolean {
    if (/^(1|yes|y|true|t|on)$/i.test(this.value)) return true;
    if (!/^(0|no|n|false|f|off)$/i.test(this.value)) {
      this.#draft.refuse(this.at, `${this.key}: expected yes or no, found ${JSON.stringify(this.value.slice(0, 40))}`);
    }
    return false;
  }

  words(): readonly string[] {
    const { words, open } = unitWords(this.value);
    if (open) this.#draft.warn(this.at, `${this.key}: a quote is left open; the rest of the line counts as quoted`);
    return words;
  }

  /** `NAME=value` words; null for a value that is not given. */
  assignments(): (readonly [string, string | null])[] {
    const words = this.words();
    return words.map((word, index) => {
      const equals = word.indexOf('=');
      if (equals >= 0) return [word.slice(0, equals), word.slice(equals + 1)] as const;
      if (index > 0) {
        const shown = JSON.stringify(word.slice(0, 60));
        this.#draft.warn(this.at, `${this.key}: ${shown} has no "="; a value with spaces needs quotes: NAME="a value"`);
      }
      return [word, null] as const;
    });
  }
}

const LETTERS: Readonly<Record<string, string>> = {
  ...C_ESCAPES,
  s: ' ',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

/** The C escape after a backslash: its meaning and length. An unknown one stays as it is. */
function cEscape(rest: string): { text: string; length: number } {
  const code = /^(?:x([0-9a-fA-F]{2})|([0-3][0-7]{2})|u([0-9a-fA-F]{4})|U(0010[0-9a-fA-F]{4}|000[0-9a-fA-F]{5}))/.exec(
    rest,
  );
  if (code) {
    const [all, hex, octal, unicode, long] = code;
    const number = octal === undefined ? Number.parseInt(hex ?? unicode ?? long ?? '0', 16) : Number.parseInt(octal, 8);
    return { text: String.fromCodePoint(number), length: all.length };
  }
  const letter = rest[0] ?? '';
  const known = Object.hasOwn(LETTERS, letter) ? LETTERS[letter] : undefined;
  // A backslash at the very end is eaten up.
  return { text: known ?? (letter === '' ? '' : `\\${letter}`), length: letter.length };
}

const LONGEST_ESCAPE = 9;

interface UnitWords {
  readonly words: readonly string[];
  /** A quote has no end: the rest of the line counts as quoted. */
  readonly open: boolean;
}

/**
 * Splits at white space, as Podman does with the values of its own keys (pkg/systemd/parser/split.go): quotes may begin
 * and end anywhere in a word and are taken away, and C escapes are filled in inside and outside of them.
 * @internal
 */
export function unitWords(text: string): UnitWords {
  const words: string[] = [];
  let word: string | null = null;
  let quote = '';
  for (let offset = 0; offset < text.length; offset++) {
    const letter = text[offset] ?? '';
    if (letter === '\\') {
      const { text: meaning, length } = cEscape(text.slice(offset + 1, offset + 1 + LONGEST_ESCAPE));
      word = (word ?? '') + meaning;
      offset += length;
    } else if (quote === '' && /\s/.test(letter)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (letter === quote) quote = '';
    else if (quote === '' && (letter === '"' || letter === "'")) {
      quote = letter;
      word ??= '';
    } else word = (word ?? '') + letter;
  }
  if (word !== null) words.push(word);
  return { words, open: quote !== '' };
}

function readLines({ file, text }: NamedText, draft: Draft): Line[] {
  const lines: Line[] = [];
  let section = '';
  let open: { key: string; parts: string[]; position: SourcePosition; section: string } | null = null;
  const close = () => {
    if (open)
      lines.push({ section: open.section, key: open.key, value: open.parts.join(' ').trim(), position: open.position });
    open = null;
  };
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const line = raw.trim();
    // A comment between continued lines does not end them.
    if (/^[#;]/.test(line)) continue;
    const position = { file, line: index + 1, column: raw.length - raw.trimStart().length + 1 };
    const goesOn = line.endsWith('\\');
    const content = goesOn ? line.slice(0, -1).trim() : line;
    if (open) {
      (open as { parts: string[] }).parts.push(content);
      if (!goesOn) close();
      continue;
    }
    if (line === '') continue;
    const header = /^\[([^\]]*)\]$/.exec(line);
    const equals = content.indexOf('=');
    if (header) section = header[1] ?? '';
    else if (equals <= 0 || section === '') draft.refuse(position, 'expected [Section] or Name=value');
    else {
      open = { key: content.slice(0, equals).trim(), parts: [content.slice(equals + 1).trim()], position, section };
      if (!goesOn) close();
    }
  }
  close();
  return lines;
}

/** A unit with its drop-ins. */
export class Unit {
  readonly name: UnitName;
  readonly start: SourcePosition;
  readonly entries: readonly Entry[];

  constructor(name: UnitName, parts: readonly NamedText[], draft: Draft) {
    this.name = name;
    this.start = { file: parts[0]?.file ?? name.file, line: 1, column: 1 };
    const lines = parts.flatMap((part) => readLines(part, draft));
    // An empty value takes back all that were given before.
    const emptied = new Set<string>();
    const kept = lines.reverse().filter(({ section, key, value }) => {
      const name = JSON.stringify([section, key]);
      if (value === '') emptied.add(name);
      return value !== '' && !emptied.has(name);
    });
    this.entries = kept.reverse().map((line) => new Entry(line, name, draft));
  }

  all(section: string, key: string): readonly Entry[] {
    return this.entries.filter((entry) => entry.section === section && entry.key === key);
  }

  last(section: string, key: string): Entry | undefined {
    return this.all(section, key).at(-1);
  }
}
