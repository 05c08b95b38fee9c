import { existsSync, lstatSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import PQueue from 'p-queue';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import type { StateFiles } from '../files/durable.ts';
import { type GoValue, goMap, goMarshal, goString, goStruct, mapValue } from '../files/go-json.ts';
import { corrupt, readGoFile, type StateIssue } from '../files/state-file.ts';
import { checkImageName, type ImageName, parseImageName } from './image-names.ts';

const FILE = goStruct({ Repositories: goMap(goMap(goString)) });
type Repositories = NonNullable<GoValue<typeof FILE>['Repositories']>;

/**
 * repositories-<driver>: which image each `repository:tag` means. As in Docker the file is read again before every use,
 * because people edit it. A copy beside it holds what was last written: a file that is missing is lost while the copy is
 * there, and images whose names are not known are not taken for unnamed.
 */
export class RepositoryStore {
  readonly #path: string;
  readonly #copy: string;
  readonly #files: StateFiles;
  /** One change at a time, because each reads the file first. */
  readonly #changes = new PQueue({ concurrency: 1 });

  /** Writes a copy of a file that has none. No file is made before the first tag is set. */
  constructor(root: string, graphDriver: string, files: StateFiles) {
    this.#path = join(root, `repositories-${graphDriver}`);
    this.#copy = `${this.#path}.copy`;
    this.#files = files;
    const old = join(root, 'repositories');
    if (graphDriver === 'aufs' && !existsSync(this.#path) && existsSync(old)) renameSync(old, this.#path);
    if (!this.#hasCopy() && this.issue() === null && existsSync(this.#path)) {
      files.replace(this.#copy, goMarshal(FILE, { Repositories: this.all() }), 0o600);
    }
  }

  #hasCopy(): boolean {
    return lstatSync(this.#copy, { throwIfNoEntry: false }) !== undefined;
  }

  /** @throws TsdError TSD_STATE_CORRUPT. */
  all(): Repositories {
    try {
      const file = readGoFile(this.#path, FILE);
      if (file === null && this.#hasCopy()) throw corrupt(this.#path, 'is missing');
      return file?.Repositories ?? {};
    } catch (thrown) {
      const error = toTsdError(thrown);
      throw new TsdError(error.code, error.message, { step: error.step, hint: this.#hint, cause: thrown });
    }
  }

  /** Why the names of images cannot be read; null where they can. */
  issue(): StateIssue | null {
    try {
      this.all();
      return null;
    } catch (error) {
      return { path: this.#path, error: toTsdError(error) };
    }
  }

  get #hint(): string {
    const aside = existsSync(this.#path) ? `mv ${this.#path} ${this.#path}.damaged-1; ` : '';
    return (
      `Containers run on. Put the names back as they were last written: \`cp ${this.#copy} ${this.#path}\`. Or continue ` +
      `without them: \`${aside}rm -f ${this.#copy}\`; a pull, a build or \`tsdocker tag\` gives an image its name again.`
    );
  }

  /** Id of the image that has exactly this name, or null. */
  get(name: ImageName): string | null {
    return mapValue(mapValue(this.all(), name.repository) ?? null, name.tag) ?? null;
  }

  /**
   * Finds an image by what a person types: a known repository's tag, or the beginning of an id among its images; else
   * whatever `byPrefix` finds for the whole text.
   * @throws TsdError TSD_NO_SUCH_RESOURCE.
   */
  lookup(text: string, byPrefix: (prefix: string) => string): string {
    const { repository, tag } = parseImageName(text);
    const tags = mapValue(this.all(), repository) ?? null;
    if (tags === null) return byPrefix(text);
    const id = mapValue(tags, tag) ?? Object.values(tags).find((candidate) => candidate.startsWith(tag));
    if (id === undefined) throw new TsdError('TSD_NO_SUCH_RESOURCE', `no such id: ${text}`);
    return id;
  }

  /** Names of an image, sorted. */
  namesOf(id: string): readonly ImageName[] {
    return Object.entries(this.all())
      .flatMap(([repository, tags]) => Object.entries(tags ?? {}).map(([tag, tagged]) => ({ repository, tag, tagged })))
      .filter(({ tagged }) => tagged === id)
      .map(({ repository, tag }) => ({ repository, tag }))
      .sort((a, b) => (`${a.repository}:${a.tag}` < `${b.repository}:${b.tag}` ? -1 : 1));
  }

  /**
   * Points a name at an image, durably.
   * @param force moves a name that means another image.
   * @throws TsdError TSD_BAD_REQUEST for a bad name, or with class conflict for a taken one.
   */
  set(name: ImageName, id: string, force: boolean): Promise<void> {
    checkImageName(name);
    return this.#change((repositories) => {
      const tags = mapValue(repositories, name.repository) ?? {};
      const present = mapValue(tags, name.tag);
      if (present !== undefined && present !== id && !force) {
        throw new TsdError(
          'TSD_BAD_REQUEST',
          `Conflict: Tag ${name.tag} is already set to image ${present}, if you want to replace it, please use -f option`,
          { class: 'conflict' },
        );
      }
      return present === id ? repositories : { ...repositories, [name.repository]: { ...tags, [name.tag]: id } };
    });
  }

  /** Removes a name, durably; its repository goes with its last tag. An unknown name is a no-op. */
  delete(name: ImageName): Promise<void> {
    return this.#change((repositories) => {
      const { [name.tag]: removed, ...rest } = mapValue(repositories, name.repository) ?? {};
      if (removed === undefined) return repositories;
      const { [name.repository]: _tags, ...others } = repositories;
      return Object.keys(rest).length === 0 ? others : { ...others, [name.repository]: rest };
    });
  }

  async #change(change: (repositories: Repositories) => Repositories): Promise<void> {
    await this.#changes.add(async () => {
      const before = this.all();
      const after = change(before);
      if (after === before) return;
      const batch = this.#files.batch();
      const content = goMarshal(FILE, { Repositories: after });
      for (const path of [this.#path, this.#copy]) batch.file(path, { content, mode: 0o600 });
      await batch.commit();
    });
  }
}
