/** What an importer makes: our manifest as data, each part with the place in the foreign file that it comes from. */
import type { SourcePosition } from '../../model/resource.ts';
import type { ReadFile } from '../content.ts';
import type { ManifestIssue } from '../issue.ts';
import { Places } from '../plain.ts';

/** Where a foreign file stands, and how it reaches the files it names. */
export interface ImportContext {
  readonly file: string;
  /** Relative paths start here. Absolute. */
  readonly baseDir: string;
  readonly readFile: ReadFile;
}

export type Section = 'images' | 'volumes' | 'networks' | 'containers';

type Written = Record<string, unknown>;

/** A part of a foreign file that has no counterpart, and the resource it was written for. */
export interface ImportWarning extends ManifestIssue {
  readonly resource: { readonly section: Section; readonly name: string } | null;
}

/** One resource in the making. */
const isMapping = (value: unknown): value is Written =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export class ResourceDraft {
  readonly section: Section;
  readonly name: string;
  readonly position: SourcePosition;
  readonly #draft: Draft;
  readonly #written: Written;

  constructor(draft: Draft, section: Section, name: string, position: SourcePosition, written: Written) {
    this.#draft = draft;
    this.section = section;
    this.name = name;
    this.position = position;
    this.#written = written;
  }

  get(field: string): unknown {
    return this.#written[field];
  }

  set(field: string, value: unknown, position: SourcePosition): void {
    if (!this.#draft.mayGrow(position, value)) return;
    this.#written[field] = value;
    this.#place([field], position);
  }

  /** Adds to a list. */
  append(field: string, value: unknown, position: SourcePosition): void {
    if (!this.#draft.mayGrow(position, value)) return;
    const list = this.#written[field];
    const items = Array.isArray(list) ? list : [];
    if (!Array.isArray(list)) this.set(field, items, position);
    items.push(value);
    this.#place([field, items.length - 1], position);
  }

  /** Sets a member of a mapping. */
  put(field: string, key: string, value: unknown, position: SourcePosition): void {
    if (key === '__proto__') {
      this.#draft.refuse(position, '"__proto__" cannot be a name');
      return;
    }
    if (!this.#draft.mayGrow(position, key, value)) return;
    const before = this.#written[field];
    // Two units may declare one resource, and one of them be refused with something else in this place.
    const members = isMapping(before) ? before : {};
    if (members !== before) this.set(field, members, position);
    members[key] = value;
    this.#place([field, key], position);
  }

  /** Sets a member of a mapping that is a member itself. */
  putIn(field: string, key: string, name: string, value: unknown, position: SourcePosition): void {
    if (name === '__proto__') {
      this.#draft.refuse(position, '"__proto__" cannot be a name');
      return;
    }
    const outer = () => this.#written[field] as Record<string, Written> | undefined;
    if (outer()?.[key] === undefined) this.put(field, key, {}, position);
    const members = outer()?.[key];
    if (members && this.#draft.mayGrow(position, name, value)) members[name] = value;
  }

  /** Where a field, or a member of it, was written. */
  placeOf(...path: readonly (string | number)[]): SourcePosition {
    return this.#draft.places.find([this.section, this.name, ...path]).key;
  }

  remove(field: string): void {
    delete this.#written[field];
  }

  warn(position: SourcePosition, message: string): void {
    this.#draft.warn(position, message, this);
  }

  /** As {@link warn}, for what would be said of many lines alike: it is at the first of them. */
  warnOnce(position: SourcePosition, message: string): void {
    this.#draft.warnOnce(position, message);
  }

  /** Says that something of the foreign file is known and planned, but not in this version. */
  later(position: SourcePosition, what: string): void {
    this.#draft.later(position, what, this);
  }

  refuse(position: SourcePosition, message: string): void {
    this.#draft.refuse(position, message);
  }

  #place(path: readonly (string | number)[], position: SourcePosition): void {
    this.#draft.places.add([this.section, this.name, ...path], { key: position, value: position });
  }
}

/** Parts of one app. What small files may be multiplied to, by references to each other, ends here. */
const MAX_PARTS = 300_000;
/** Characters of one app. */
export const MAX_TEXT = 8 * 1024 ** 2;

function textIn(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 0;
  let length = 0;
  for (const [key, member] of Object.entries(value)) length += key.length + textIn(member);
  return length;
}

const placeText = ({ file, line, column }: SourcePosition): string => `${file}:${line}:${column}`;

/** One app in the making. */
export class Draft {
  /** As a manifest would be written. */
  readonly value: Written = {};
  readonly places: Places;
  readonly issues: ManifestIssue[] = [];
  readonly warnings: ImportWarning[] = [];
  readonly start: SourcePosition;
  readonly #resources = new Map<string, ResourceDraft>();
  readonly #warned = new Set<string>();
  #parts = 0;
  #text = 0;
  #isFull = false;

  constructor(file: string) {
    this.start = { file, line: 1, column: 1 };
    this.places = new Places(this.start);
  }

  /** Whether another part has room; one issue says where there is none. */
  mayGrow(position: SourcePosition, ...values: readonly unknown[]): boolean {
    if (this.#isFull) return false;
    this.#parts++;
    for (const value of values) this.#text += textIn(value);
    this.#isFull = this.#parts >= MAX_PARTS || this.#text > MAX_TEXT;
    if (!this.#isFull) return true;
    const limit = this.#text > MAX_TEXT ? `${MAX_TEXT / 1024 ** 2} MiB of text` : `${MAX_PARTS} parts`;
    this.refuse(position, `what is made of it has more than ${limit}`);
    return false;
  }

  nameApp(name: string, position: SourcePosition): void {
    this.value.app = name;
    this.places.add(['app'], { key: position, value: position });
  }

  /** The resource of a name, made when there is none. */
  resource(section: Section, name: string, position: SourcePosition): ResourceDraft {
    const before = this.find(section, name);
    if (before) return before;
    const written: Written = {};
    const resources = (this.value[section] ?? {}) as Written;
    this.value[section] = resources;
    resources[name] = written;
    const made = new ResourceDraft(this, section, name, position, written);
    this.#resources.set(`${section}/${name}`, made);
    this.places.add([section, name], { key: position, value: position });
    return made;
  }

  find(section: Section, name: string): ResourceDraft | undefined {
    return this.#resources.get(`${section}/${name}`);
  }

  /** A resource that must be new: two foreign names may become one of ours. */
  newResource(section: Section, name: string, position: SourcePosition): ResourceDraft {
    const before = this.find(section, name);
    if (before) this.refuse(position, `"${name}" is also the name made for line ${before.position.line}; rename one`);
    return this.resource(section, name, position);
  }

  /** Something was left out or changed, and the rest still makes sense. */
  warn(position: SourcePosition, message: string, resource: ResourceDraft | null = null): void {
    this.#warn('TSD_IMPORT_IGNORED', position, message, resource);
  }

  warnOnce(position: SourcePosition, message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.warn(position, message);
  }

  later(position: SourcePosition, what: string, resource: ResourceDraft | null = null): void {
    this.#warn('TSD_NOT_IN_THIS_VERSION', position, `${what} is not in this version`, resource);
  }

  /** Without it the rest would not be what was meant. */
  refuse(position: SourcePosition, message: string): void {
    this.issues.push({ code: 'TSD_IMPORT_IMPOSSIBLE', message, position });
  }

  #warn(code: ManifestIssue['code'], position: SourcePosition, message: string, resource: ResourceDraft | null): void {
    const shown = `${placeText(position)}: ${message}`;
    if (this.#warned.has(shown)) return;
    this.#warned.add(shown);
    const about = resource && { section: resource.section, name: resource.name };
    this.warnings.push({ code, message, position, resource: about });
  }
}
