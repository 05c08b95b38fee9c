/** A foreign YAML file as a tree whose parts know where they were written, and tables of what its fields become. */
import { append } from '../../model/lists.ts';
import type { SourcePosition } from '../../model/resource.ts';
import { type MergeTag, MergeTags, type Path, Places, toPlain } from '../plain.ts';
import type { YamlText } from '../yaml-text.ts';
import type { Draft } from './draft.ts';

export type Content =
  | { readonly type: 'mapping'; readonly members: ReadonlyMap<string, Part> }
  | { readonly type: 'list'; readonly items: readonly Part[] }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'nothing' };

const NAMES = { mapping: 'a mapping', list: 'a list', text: 'text', nothing: 'nothing' } as const;

/** What becomes of a field: a translation, or why there is none. */
type FieldRule<T> = ((part: Part, target: T) => void) | 'later' | `no meaning: ${string}`;
export type FieldTable<T> = Readonly<Record<string, FieldRule<T>>>;

interface Report {
  warn(position: SourcePosition, message: string): void;
  later(position: SourcePosition, what: string): void;
}

/** A value of the foreign file. Asking it for another form than it has is an issue, and gives nothing. */
export class Part {
  readonly content: Content;
  /** Of the value. */
  readonly at: SourcePosition;
  /** Of its key; the value's own for items of a list. */
  readonly keyAt: SourcePosition;
  /** The merge rule for the value. */
  readonly tag: MergeTag | null;
  readonly #draft: Draft;

  constructor(
    content: Content,
    place: { at: SourcePosition; keyAt: SourcePosition },
    draft: Draft,
    tag?: MergeTag | null,
  ) {
    this.content = content;
    this.at = place.at;
    this.keyAt = place.keyAt;
    this.tag = tag ?? null;
    this.#draft = draft;
  }

  get isNothing(): boolean {
    return this.content.type === 'nothing';
  }

  /** The same place with another content. */
  with(content: Content): Part {
    return new Part(content, this, this.#draft, this.tag);
  }

  /** The same without its tag. */
  untagged(): Part {
    return this.tag === null ? this : new Part(this.content, this, this.#draft);
  }

  /** A text at the place of this one. */
  textAt(text: string): Part {
    return new Part({ type: 'text', text }, this, this.#draft);
  }

  /** Text of a scalar as written; empty for nothing. */
  text(): string {
    if (this.content.type === 'text') return this.content.text;
    this.#expect('text');
    return '';
  }

  /** Null, with an issue, for what is neither true nor false. */
  boolean(): boolean | null {
    const text = this.text();
    if (/^(true|yes|on)$/i.test(text)) return true;
    if (/^(false|no|off)$/i.test(text)) return false;
    this.#draft.refuse(this.at, `expected true or false, found ${JSON.stringify(text.slice(0, 40))}`);
    return null;
  }

  /** Null, with an issue, for what is no number. */
  number(): number | null {
    const text = this.text();
    const number = Number(text);
    if (text.trim() !== '' && Number.isFinite(number)) return number;
    this.#draft.refuse(this.at, `expected a number, found ${JSON.stringify(text.slice(0, 40))}`);
    return null;
  }

  items(): readonly Part[] {
    if (this.content.type === 'list') return this.content.items;
    this.#expect('list');
    return [];
  }

  /** Items of a list, or the one text that replaces it. */
  oneOrMany(): readonly Part[] {
    return this.content.type === 'text' ? [this] : this.items();
  }

  entries(): readonly (readonly [string, Part])[] {
    if (this.content.type === 'mapping') return [...this.content.members];
    this.#expect('mapping');
    return [];
  }

  get(key: string): Part | undefined {
    return this.content.type === 'mapping' ? this.content.members.get(key) : undefined;
  }

  /** Text of a member; undefined when it is not there or nothing. */
  textOf(key: string): string | undefined {
    const member = this.get(key);
    return member === undefined || member.isNothing ? undefined : member.text();
  }

  /** Translates every member by a table; what the table does not know is reported. */
  each<T>(table: FieldTable<T>, target: T, report: Report): void {
    for (const [key, part] of this.entries()) {
      const rule = Object.hasOwn(table, key) ? table[key] : undefined;
      const shown = JSON.stringify(key.slice(0, 80));
      if (typeof rule === 'function') {
        if (!part.isNothing) rule(part, target);
      } else if (rule === 'later') report.later(part.keyAt, key);
      else if (rule) report.warn(part.keyAt, `${key}: ${rule.slice('no meaning: '.length)}`);
      else if (!key.startsWith('x-')) report.warn(part.keyAt, `unknown field ${shown} is left out`);
    }
  }

  #expect(wanted: Content['type']): void {
    if (this.isNothing) return;
    this.#draft.refuse(this.at, `expected ${NAMES[wanted]}, found ${NAMES[this.content.type]}`);
  }
}

interface Origin {
  readonly places: Places;
  readonly tags: MergeTags;
  readonly draft: Draft;
}

/** The tree of a document that was made plain with all scalars as text. */
function partOf(value: unknown, path: Path, origin: Origin): Part {
  const { key: keyAt, value: at } = origin.places.find(path);
  const part = (content: Content) => new Part(content, { at, keyAt }, origin.draft, origin.tags.get(path));
  if (Array.isArray(value)) {
    return part({ type: 'list', items: value.map((item, index) => partOf(item, [...path, index], origin)) });
  }
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(
      ([name, member]) => [name, partOf(member, [...path, name], origin)] as const,
    );
    return part({ type: 'mapping', members: new Map(members) });
  }
  return part(value === null || value === undefined ? { type: 'nothing' } : { type: 'text', text: String(value) });
}

/**
 * The documents of a YAML file, without empty ones and those with broken syntax. Adds the file's issues to the draft's.
 * @param mergeTags the tags by which Compose merges files are kept; else they are mistakes
 */
export function documentParts(yaml: YamlText, draft: Draft, { mergeTags = false } = {}): Part[] {
  const { issues } = draft;
  append(issues, yaml.issues);
  return yaml.documents
    .filter(({ errors, contents }) => errors.length === 0 && contents !== null)
    .map(({ contents }) => {
      const places = new Places(yaml.positionAt(contents?.range[0] ?? 0));
      const tags = new MergeTags();
      const { positionAt } = yaml;
      const conversion = { places, issues, positionAt, isText: () => true, merge: true, ...(mergeTags && { tags }) };
      return partOf(toPlain(contents, conversion), [], { places, tags, draft });
    })
    .filter((part) => !part.isNothing);
}
