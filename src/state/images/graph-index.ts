import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeTree } from '../../ffi/files/remove-tree.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { DurableBatch, StateFiles } from '../files/durable.ts';
import { goMarshal } from '../files/go-json.ts';
import { toStateError } from '../files/state-error.ts';
import { corrupt, errnoCode, readGoFile, readStateFile, type StateIssue } from '../files/state-file.ts';
import { ID_PATTERN } from '../ids.ts';
import { TruncIndex } from '../trunc-index.ts';
import { IMAGE_JSON, type ImageRecord } from './image-record.ts';

const FILE_MODE = 0o600;

/** Docker's staging directory, which is not an image. */
const STAGING = '_tmp';

/** @throws TsdError TSD_STATE_CORRUPT. */
function loadImage(directory: string, id: string): ImageRecord {
  if (!ID_PATTERN.test(id)) throw corrupt(directory, `image ID '${id}' is invalid`);
  const path = join(directory, 'json');
  const image = readGoFile(path, IMAGE_JSON);
  if (image === null) throw corrupt(path, 'is missing');
  if (image.id !== id) throw corrupt(path, `Image stored at '${id}' has wrong id '${image.id}'`);
  const size = readStateFile(join(directory, 'layersize'));
  if (size === null) return image;
  if (!/^-?\d{1,15}$/.test(size)) throw corrupt(join(directory, 'layersize'), 'is not a decimal number');
  return { ...image, Size: Number(size) };
}

/** graph/: the images of this root, loaded once and kept in memory. Layer contents belong to the graph driver. */
export class GraphIndex {
  readonly #directory: string;
  readonly #files: StateFiles;
  readonly #images = new Map<string, ImageRecord>();
  readonly #damaged = new Map<string, TsdError>();
  readonly #index = new TruncIndex();

  /** @throws TsdError only when graph/ itself cannot be listed; a bad image becomes one of {@link issues}. */
  constructor(root: string, files: StateFiles) {
    this.#directory = join(root, 'graph');
    this.#files = files;
    for (const id of readdirSync(this.#directory).filter((name) => name !== STAGING)) {
      const directory = join(this.#directory, id);
      try {
        this.#remember(loadImage(directory, id));
      } catch (error) {
        this.#damaged.set(id, error instanceof TsdError ? error : corrupt(directory, String(error), error));
      }
    }
  }

  /** Images that could not be read; they stay on disk. */
  get issues(): readonly StateIssue[] {
    return [...this.#damaged].map(([id, error]) => ({ path: join(this.#directory, id), error }));
  }

  /** Why the record of an image cannot be read; undefined where it can, and for an unknown id. */
  damaged(id: string): TsdError | undefined {
    return this.#damaged.get(id);
  }

  /** Directory of an image. */
  path(id: string): string {
    return join(this.#directory, id);
  }

  all(): readonly ImageRecord[] {
    return [...this.#images.values()];
  }

  get(id: string): ImageRecord | undefined {
    return this.#images.get(id);
  }

  /** @param prefix of an id. @throws TsdError TSD_NO_SUCH_RESOURCE unless exactly one id begins with it. */
  lookup(prefix: string): ImageRecord {
    const id = this.#index.get(prefix);
    const image = this.#images.get(id);
    if (image === undefined) throw new TsdError('TSD_BUG', `index names ${id}, which is not loaded`);
    return image;
  }

  /** Every graph driver layer that an image needs, readable or not. */
  layersInUse(): ReadonlySet<string> {
    const used = new Set(this.#damaged.keys());
    for (const image of this.#images.values()) {
      used.add(image.id);
      if (image.parent !== '') used.add(image.parent);
      for (const layer of image.Tsdocker?.Layers ?? []) used.add(layer.ChainId);
    }
    return used;
  }

  /**
   * Stages a new image; it exists once `batch` has been committed. One that is there already, or comes to be before that,
   * is left as it is, because its id is the digest of its content.
   */
  add(image: ImageRecord, batch: DurableBatch): void {
    if (!ID_PATTERN.test(image.id)) throw new TsdError('TSD_IMAGE_INVALID', `image ID '${image.id}' is invalid`);
    if (this.#images.has(image.id)) return;
    const final = join(this.#directory, image.id);
    if (this.#damaged.has(image.id)) throw corrupt(final, 'exists already and cannot be read');
    const temporary = this.#files.temporaryPath(`image-${image.id}`);
    const json = join(temporary, 'json');
    const layersize = join(temporary, 'layersize');
    try {
      mkdirSync(temporary, { mode: 0o700 });
      // Docker writes it with an Encoder, which ends the line.
      writeFileSync(json, `${goMarshal(IMAGE_JSON, image)}\n`, { mode: FILE_MODE });
      writeFileSync(layersize, String(image.Size), { mode: FILE_MODE });
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true });
      throw toStateError(error, `create ${final}`);
    }
    batch.directory(temporary, final, [json, layersize], {
      isThere: () => this.#isThere(image, final),
      published: () => {
        if (!this.#images.has(image.id)) this.#remember(image);
      },
    });
  }

  /** Whether the image has come to be since it was staged. @throws TsdError TSD_STATE_CORRUPT for another content. */
  #isThere({ id, Tsdocker: stored }: ImageRecord, directory: string): boolean {
    if (this.#images.has(id)) return true;
    if (!existsSync(directory)) return false;
    const found = loadImage(directory, id);
    if (found.Tsdocker?.ConfigJson !== stored?.ConfigJson) throw corrupt(directory, 'exists already as another image');
    return true;
  }

  /** Writes what is now known to be the size of an image; as in Docker the file goes before what its json says. */
  saveSize(id: string, size: number): void {
    const image = this.#images.get(id);
    if (image === undefined) return;
    this.#files.replace(join(this.#directory, id, 'layersize'), String(size), FILE_MODE);
    this.#images.set(id, { ...image, Size: size });
  }

  /** Removes an image; its layers stay with the graph driver. An unknown id is a no-op. */
  async remove(id: string): Promise<void> {
    if (!this.#images.has(id)) return;
    const aside = this.#files.temporaryPath(`removed-${id}`);
    try {
      renameSync(join(this.#directory, id), aside);
    } catch (error) {
      if (errnoCode(error) !== 'ENOENT') throw toStateError(error, `remove image ${id}`);
    }
    this.#images.delete(id);
    this.#index.delete(id);
    await removeTree(aside);
  }

  #remember(image: ImageRecord): void {
    this.#images.set(image.id, image);
    this.#index.add(image.id);
  }
}
