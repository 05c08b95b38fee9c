import { join } from 'node:path';
import PQueue from 'p-queue';
import { toTsdError } from '../../model/errors/errors.ts';
import type { StateFiles } from '../files/durable.ts';
import { goMap, goMarshal, goString, goStruct, mapValue } from '../files/go-json.ts';
import { readGoFile } from '../files/state-file.ts';

const FILE = goStruct({ Digests: goMap(goString) });
type Digests = Readonly<Record<string, string>>;

/**
 * digest-names.json: which image a name with a digest, `repository@sha256:…`, means here. Only registries know that: it is
 * noted when an image is pulled or pushed, and a pull by digest brings it back.
 */
export class DigestNames {
  readonly #path: string;
  readonly #files: StateFiles;
  /** One change at a time, because each reads the file first. */
  readonly #changes = new PQueue({ concurrency: 1 });

  constructor(root: string, files: StateFiles) {
    this.#path = join(root, 'digest-names.json');
    this.#files = files;
  }

  /** @throws TsdError TSD_STATE_CORRUPT. */
  #all(): Digests {
    try {
      return readGoFile(this.#path, FILE)?.Digests ?? {};
    } catch (thrown) {
      throw toTsdError(thrown).withHint(`\`rm ${this.#path}\`; a pull by digest brings a name back.`);
    }
  }

  /** Id of the image, or null. @throws TsdError TSD_STATE_CORRUPT. */
  get(name: string): string | null {
    return mapValue(this.#all(), name) ?? null;
  }

  /** Names of an image, sorted. @throws TsdError TSD_STATE_CORRUPT. */
  namesOf(id: string): readonly string[] {
    return Object.entries(this.#all())
      .flatMap(([name, known]) => (known === id ? [name] : []))
      .sort();
  }

  /** Notes a name, durably. @param exists names of images that are gone are forgotten */
  add(name: string, id: string, exists: (id: string) => boolean): Promise<void> {
    return this.#change((all) => {
      if (mapValue(all, name) === id) return all;
      return { ...Object.fromEntries(Object.entries(all).filter(([, known]) => exists(known))), [name]: id };
    });
  }

  /** Removes a name, durably. An unknown one is a no-op. */
  delete(name: string): Promise<void> {
    return this.#change((all) => {
      if (mapValue(all, name) === undefined) return all;
      return Object.fromEntries(Object.entries(all).filter(([known]) => known !== name));
    });
  }

  async #change(change: (all: Digests) => Digests): Promise<void> {
    await this.#changes.add(async () => {
      const before = this.#all();
      const after = change(before);
      if (after === before) return;
      const batch = this.#files.batch();
      batch.file(this.#path, { content: goMarshal(FILE, { Digests: after }), mode: 0o600 });
      await batch.commit();
    });
  }
}
