/** One manifest file: text → resources with positions, or the list of everything that is wrong with it. */
import { basename } from 'node:path';
import type { SpecOfKind } from '../model/desired.ts';
import { isTextField, KIND_SCHEMAS } from '../model/kinds/kinds.ts';
import { append } from '../model/lists.ts';
import { isReservedName } from '../model/network-mode.ts';
import { KINDS, type Kind, NAME_PATTERN, type SourcePosition } from '../model/resource.ts';
import { importForeign, type Reach, type Translation } from './importers/import.ts';
import { compareIssues, MAX_ISSUES, type ManifestIssue } from './issue.ts';
import { type Path, Places, toPlain } from './plain.ts';
import { schemaIssues, valueWords } from './schema-issues.ts';
import { unknownKey } from './unknown-keys.ts';
import { readYaml, type YamlText } from './yaml-text.ts';

export interface ParsedResource<K extends Kind = Kind> {
  readonly kind: K;
  readonly name: string;
  /** The key under which it is declared. */
  readonly position: SourcePosition;
  /** Positions of its written fields, by dotted path. */
  readonly positions: Readonly<Record<string, SourcePosition>>;
  /** As written, as plain JSON. */
  readonly written: unknown;
  /** Normalised; null when it has issues. Its paths are as written. */
  readonly spec: SpecOfKind[K] | null;
}

/** What one file declares. */
export interface ManifestApp {
  readonly app: string;
  readonly file: string;
  readonly position: SourcePosition;
  readonly resources: readonly ParsedResource[];
  /** Applied, its files count as they are at any time, not as they were then. */
  readonly follow: boolean;
}

export interface ParsedManifest {
  /** Null when not even the app's name is known. */
  readonly app: ManifestApp | null;
  /** In the order of the lines. Any issue rejects the file as a whole. */
  readonly issues: readonly ManifestIssue[];
  /** For a file in a format of others: what it became, and what was left out of it. */
  readonly translation: Translation | null;
}

export interface ManifestText {
  readonly text: string;
  /** As shown in positions. */
  readonly file: string;
  /** Name of the app unless the file says otherwise; null when the file's name cannot serve. */
  readonly appDefault: string | null;
  /** How files of other formats reach the files they name. Left out, there are none. */
  readonly reach?: Reach;
}

/** The app a file stands for: its name without directory and .yaml or .yml, or null when that is no valid name. */
export function appNameOf(file: string): string | null {
  const stem = basename(file).replace(/\.ya?ml$/, '');
  return NAME_PATTERN.test(stem) ? stem : null;
}

const SECTION_KIND: ReadonlyMap<string, Kind> = new Map(KINDS.map((kind) => [KIND_SCHEMAS[kind].section, kind]));
const TOP_LEVEL = ['app', 'follow', ...SECTION_KIND.keys()];

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTextAt(path: Path): boolean {
  const [section, , ...rest] = path;
  if (section === 'app') return true;
  const kind = SECTION_KIND.get(String(section));
  return kind !== undefined && isTextField(kind, rest);
}

/** The normalised spec of what was written for one resource; zod's error otherwise. @internal */
export function normalise<K extends Kind>(kind: K, written: unknown) {
  // `pgdata:` and `pgdata: {}` are the same volume; only kinds without required fields may be left empty.
  const value = written === null && (kind === 'volume' || kind === 'network') ? {} : written;
  return KIND_SCHEMAS[kind].schema.safeParse(value, { error: valueWords });
}

function refuseName(kind: Kind, name: string): string | null {
  if (!NAME_PATTERN.test(name)) {
    return `${JSON.stringify(name.slice(0, 80))} is not a name: lower-case letters, digits and hyphens, at most 63`;
  }
  const reserved = kind === 'network' && isReservedName(name);
  return reserved ? `a network cannot be called ${name}: that word is a network mode` : null;
}

class ManifestReader {
  readonly #input: ManifestText;
  readonly #issues: ManifestIssue[] = [];
  readonly #resources = new Map<string, ParsedResource>();
  #app: { name: string; position: SourcePosition } | null = null;
  #follow: { value: boolean; position: SourcePosition } | null = null;
  #translation: Translation | null = null;

  constructor(input: ManifestText) {
    this.#input = input;
  }

  read(): ParsedManifest {
    this.#translation = importForeign(this.#input, this.#issues);
    if (this.#translation) this.#topLevel(this.#translation.manifest, this.#translation.places);
    else this.#ownFormat();
    const start: SourcePosition = { file: this.#input.file, line: 1, column: 1 };
    if (this.#resources.size === 0 && this.#issues.length === 0 && !this.#translation) {
      const hint = 'Delete the file to remove its app.';
      this.#issues.push({ code: 'TSD_MANIFEST_SCHEMA', message: 'the file declares nothing', position: start, hint });
    }
    const app = this.#appName(start);
    return {
      app: app && {
        app: app.name,
        file: this.#input.file,
        position: app.position,
        resources: [...this.#resources.values()],
        follow: this.#follow?.value ?? false,
      },
      issues: this.#issues.sort(compareIssues).slice(0, MAX_ISSUES),
      translation: this.#translation,
    };
  }

  #ownFormat(): void {
    const yaml = readYaml(this.#input.text, this.#input.file);
    append(this.#issues, yaml.issues);
    for (const document of yaml.documents) this.#document(document, yaml);
  }

  #appName(start: SourcePosition): { name: string; position: SourcePosition } | null {
    if (this.#app) return this.#app;
    if (this.#input.appDefault !== null) return { name: this.#input.appDefault, position: start };
    const message = `the file's name ${JSON.stringify(basename(this.#input.file))} cannot be the name of an app`;
    const hint = 'Add a line such as `app: my-app`.';
    this.#issues.push({ code: 'TSD_MANIFEST_SCHEMA', message, position: start, hint });
    return null;
  }

  #refuse(message: string, position: SourcePosition): void {
    this.#issues.push({ code: 'TSD_MANIFEST_SCHEMA', message, position });
  }

  #document({ contents, errors }: YamlText['documents'][number], yaml: YamlText): void {
    // What can be made out of broken syntax says nothing about what was meant.
    if (errors.length > 0) return;
    const places = new Places(yaml.positionAt(contents?.range[0] ?? 0));
    const value = toPlain(contents, { places, issues: this.#issues, positionAt: yaml.positionAt, isText: isTextAt });
    const start = places.find([]).value;
    if (isMapping(value)) this.#topLevel(value, places);
    else if (value !== null) {
      this.#refuse('a manifest is a mapping with app, images, volumes, networks or containers', start);
    }
  }

  #topLevel(value: Record<string, unknown>, places: Places): void {
    for (const [key, section] of Object.entries(value)) {
      const kind = SECTION_KIND.get(key);
      const { key: keyPosition, value: position } = places.find([key]);
      if (key === 'app') this.#readApp(section, position);
      else if (key === 'follow') this.#readFollow(section, position);
      else if (!kind) this.#issues.push(unknownKey(key, 'document', TOP_LEVEL, 'the manifest', keyPosition));
      else if (isMapping(section)) {
        for (const [name, written] of Object.entries(section)) this.#resource(kind, name, written, places);
      } else if (section !== null) this.#refuse(`${key}: expected a mapping of names to ${key}`, position);
    }
  }

  #readApp(value: unknown, position: SourcePosition): void {
    if (typeof value !== 'string' || !NAME_PATTERN.test(value)) {
      this.#refuse('app: expected a name of lower-case letters, digits and hyphens', position);
    } else if (this.#app && this.#app.name !== value) {
      this.#refuse(`app is "${this.#app.name}" on line ${this.#app.position.line}; a file is one app`, position);
    } else this.#app ??= { name: value, position };
  }

  #readFollow(value: unknown, position: SourcePosition): void {
    if (typeof value !== 'boolean') this.#refuse('follow: expected true or false', position);
    else if (this.#follow && this.#follow.value !== value) {
      this.#refuse(
        `follow is ${this.#follow.value} on line ${this.#follow.position.line}; a file is one app`,
        position,
      );
    } else this.#follow ??= { value, position };
  }

  #resource(kind: Kind, name: string, written: unknown, places: Places): void {
    const at = [KIND_SCHEMAS[kind].section, name];
    const position = places.find(at).key;
    const before = this.#resources.get(`${kind}/${name}`);
    const refusal = refuseName(kind, name);
    if (refusal !== null || before) {
      const twice = `${kind} ${name} is declared twice; the first is on line ${before?.position.line}`;
      const code = refusal === null ? 'TSD_MANIFEST_CONFLICT' : 'TSD_MANIFEST_SCHEMA';
      this.#issues.push({ code, message: refusal ?? twice, position });
      return;
    }
    const result = normalise(kind, written);
    if (!result.success) append(this.#issues, schemaIssues(result.error, { kind, name, written, at, places }));
    this.#resources.set(`${kind}/${name}`, {
      kind,
      name,
      position,
      positions: places.below(at),
      written,
      spec: result.success ? result.data : null,
    });
  }
}

/** Reads one file. Never throws for its content. */
export function parseManifest(input: ManifestText): ParsedManifest {
  return new ManifestReader(input).read();
}
