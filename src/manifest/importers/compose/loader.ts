/** The files of a Compose project as one: variables filled in, `include` followed, merged in order. */
import { basename, dirname, relative, resolve } from 'node:path';
import type { ReadResult } from '../../content.ts';
import { readYaml, type YamlText } from '../../yaml-text.ts';
import type { Draft, ImportContext } from '../draft.ts';
import { documentParts, type Part } from '../part.ts';
import { parseDotEnv } from './dot-env.ts';
import { withoutEmptyFields } from './empty.ts';
import { Interpolation } from './interpolate.ts';
import { Merger, settled } from './merge.ts';
import { overridesOf } from './project-files.ts';
import { moved } from './relative-paths.ts';

export type Values = ReadonlyMap<string, string>;

export interface ComposeFile {
  readonly file: string;
  readonly yaml: YamlText;
}

export interface LoadedProject {
  readonly root: Part;
  /** Values of variables. */
  readonly values: Values;
  readonly loader: ProjectLoader;
}

/** Limit of further files of a project, because all are read while the supervisor waits. */
const MAX_FILES = 32;
const MAX_BYTES = 4 * 1024 ** 2;

/** A place of relative paths, and what variables mean there. */
interface Surroundings {
  readonly directory: string;
  readonly values: Values;
  /** Files that led here. */
  readonly chain: readonly string[];
}

export class ProjectLoader {
  readonly #context: ImportContext;
  readonly #draft: Draft;
  readonly #merger: Merger;
  /** Documents and, with variables filled in, files that `extends` names; by path. */
  readonly #documents = new Map<string, Part | null>();
  readonly #extended = new Map<string, Part | null>();
  #files = 0;
  #included = 0;
  #bytes = 0;

  constructor(context: ImportContext, draft: Draft) {
    this.#context = context;
    this.#draft = draft;
    this.#merger = new Merger(draft);
  }

  /** Null where there is nothing to load. @param files the first is the one that was asked for */
  load(files: readonly ComposeFile[]): LoadedProject | null {
    const directory = this.#context.baseDir;
    const values = this.#dotEnv([resolve(directory, '.env')], new Map(), false);
    const chain = files.map(({ file }) => resolve(directory, file));
    const own = files.map(({ file, yaml }) => this.#document(file, yaml));
    const root = this.#model([...own, ...this.#override(files)], { directory, values, chain });
    return root && { root: withoutEmptyFields(settled(root)), values, loader: this };
  }

  /** A file that `extends` names, with paths as the project's own. */
  extended(path: string, at: Part, values: Values): Part | null {
    const absolute = resolve(this.#context.baseDir, path);
    const known = this.#extended.get(absolute);
    if (known !== undefined) return known;
    const root = this.#other(absolute, at.at);
    const filled = root && new Interpolation(values, this.#draft).tree(root);
    const extended = filled && withoutEmptyFields(settled(moved(filled, dirname(absolute), this.#context.baseDir)));
    this.#extended.set(absolute, extended);
    return extended;
  }

  /** The override file beside a project's only file. */
  #override(files: readonly ComposeFile[]): (Part | null)[] {
    const [only, second] = files;
    if (!only || second) return [];
    const main = resolve(this.#context.baseDir, only.file);
    const there = overridesOf(main).filter((path) => {
      const read = this.#context.readFile(path);
      return read.ok || read.reason !== 'missing';
    });
    const [first, ...others] = there;
    if (first === undefined) return [];
    const start = (file: string) => ({ file, line: 1, column: 1 });
    this.#draft.warn(start(first), `it is merged over ${basename(main)} beside it, as Compose does`);
    for (const file of others) {
      this.#draft.warn(start(file), `it is left out: ${basename(first)} is there too, and one of them is merged`);
    }
    return [this.#other(first, this.#draft.start)];
  }

  #model(documents: readonly (Part | null)[], surroundings: Surroundings): Part | null {
    const interpolation = new Interpolation(surroundings.values, this.#draft);
    let merged: Part | null = null;
    for (const document of documents) {
      if (!document) continue;
      const own = this.#withIncluded(interpolation.tree(document), surroundings);
      merged = merged ? this.#merger.merge(merged, own) : own;
    }
    return merged;
  }

  #document(file: string, yaml: YamlText): Part | null {
    const [first, second] = documentParts(yaml, this.#draft, { mergeTags: true });
    if (second) this.#draft.refuse(second.at, 'a Compose file is one document');
    if (first && first.content.type !== 'mapping') {
      this.#draft.refuse(first.at, `${basename(file)} is no Compose file: expected a mapping`);
      return null;
    }
    return first ?? null;
  }

  /** The file merged over all that it includes. */
  #withIncluded(root: Part, surroundings: Surroundings): Part {
    const include = root.get('include');
    if (!include || root.content.type !== 'mapping') return root;
    const members = new Map(root.content.members);
    members.delete('include');
    const own = root.with({ type: 'mapping', members });
    const included = include.oneOrMany().flatMap((entry) => this.#include(entry, surroundings) ?? []);
    return [...included, own].reduce((base, over) => this.#merger.merge(base, over));
  }

  /** One entry of `include`: a path, or a mapping with path, project_directory and env_file. */
  #include(entry: Part, surroundings: Surroundings): Part | null {
    const { directory, chain } = surroundings;
    const paths = entry.content.type === 'mapping' ? (entry.get('path')?.oneOrMany() ?? []) : [entry];
    for (const [key, member] of entry.content.type === 'mapping' ? entry.entries() : []) {
      if (!['path', 'project_directory', 'env_file'].includes(key) && !key.startsWith('x-'))
        this.#draft.warn(member.keyAt, `unknown field ${JSON.stringify(key.slice(0, 80))} is left out`);
    }
    const files = paths.map((part) => ({ part, path: resolve(directory, part.text()) }));
    const [first] = files;
    if (!first) {
      this.#draft.refuse(entry.at, 'include: a path is needed');
      return null;
    }
    if (files.some(({ part, path }) => this.#refuseInclude(part, path, chain))) return null;
    const written = entry.textOf('project_directory');
    const own = written === undefined ? dirname(first.path) : resolve(directory, written);
    const model = this.#model(
      files.map(({ part, path }) => this.#other(path, part.at)),
      {
        directory: own,
        values: this.#includedValues(entry, own, surroundings),
        chain: [...chain, ...files.map(({ path }) => path)],
      },
    );
    return model && this.#adopted(moved(model, own, directory));
  }

  #includedValues(entry: Part, own: string, { directory, values }: Surroundings): Values {
    const written = entry.get('env_file')?.oneOrMany() ?? [];
    if (written.length === 0) return this.#dotEnv([resolve(own, '.env')], values, false);
    const paths = written.map((part) => resolve(directory, part.text())).filter((path) => path !== '/dev/null');
    return this.#dotEnv(paths, values, true, entry);
  }

  /** What an included file calls its own project has no meaning for the one that includes it. */
  #adopted(model: Part): Part {
    const members = new Map(model.content.type === 'mapping' ? model.content.members : []);
    members.delete('name');
    members.delete('version');
    return settled(model.with({ type: 'mapping', members }));
  }

  #refuseInclude(part: Part, path: string, chain: readonly string[]): boolean {
    const reason = this.#whyNotIncluded(part.text(), path, chain);
    if (reason !== null) this.#draft.refuse(part.at, `include ${part.text().slice(0, 120)}: ${reason}`);
    return reason !== null;
  }

  #whyNotIncluded(text: string, path: string, chain: readonly string[]): string | null {
    if (/^([a-z][\w+.-]*:|[\w.-]+@[\w.-]+:)/i.test(text))
      return 'files of the network are not in this version; copy it here';
    if (chain.includes(path)) {
      const circle = [...chain.slice(chain.indexOf(path)), path].map((file) => basename(file));
      return `it includes itself: ${circle.join(' → ')}`;
    }
    this.#included++;
    return this.#included > MAX_FILES ? `a project includes more than ${MAX_FILES} files` : null;
  }

  #other(path: string, at: Part['at']): Part | null {
    const known = this.#documents.get(path);
    if (known !== undefined) return known;
    const yaml = this.#parsed(path, this.#context.readFile(path), at);
    const document = yaml && this.#document(path, yaml);
    this.#documents.set(path, document);
    return document;
  }

  /** What was wrong with a file, with its path as people would write it here. */
  #unreadable(path: string, message: string): string {
    return message.replace(path, relative(this.#context.baseDir, path));
  }

  #parsed(path: string, read: ReadResult, at: Part['at']): YamlText | null {
    if (!read.ok) {
      this.#draft.refuse(at, this.#unreadable(path, read.message));
      return null;
    }
    this.#files++;
    this.#bytes += read.bytes.length;
    if (this.#files > MAX_FILES || this.#bytes > MAX_BYTES) {
      const limits = `${MAX_FILES} files or ${MAX_BYTES / 1024 ** 2} MiB`;
      this.#draft.refuse(at, `${basename(path)}: the project has more than ${limits} beside its first file`);
      return null;
    }
    return readYaml(read.bytes.toString('utf8'), path, { mergeTags: true });
  }

  /**
   * Values of `.env` files, the later ones over the earlier.
   * @param outer values that have precedence over all of them
   * @param required whether a missing file is a mistake
   */
  #dotEnv(paths: readonly string[], outer: Values, required: boolean, at?: Part): Values {
    const values = new Map<string, string>();
    for (const path of paths) {
      const read = this.#context.readFile(path);
      if (!read.ok) {
        if (required || read.reason !== 'missing')
          this.#draft.refuse(at?.at ?? this.#draft.start, this.#unreadable(path, read.message));
        continue;
      }
      const { values: own, problems } = parseDotEnv(read.bytes.toString('utf8'), outer);
      for (const { line, message } of problems) this.#draft.warn({ file: path, line, column: 1 }, message);
      for (const [name, value] of own) values.set(name, value);
    }
    for (const [name, value] of outer) values.set(name, value);
    return values;
  }
}
