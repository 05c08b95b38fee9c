import { lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeTree } from '../../ffi/files/remove-tree.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { DurableBatch, StateFiles } from '../files/durable.ts';
import { type GoValue, goBool, goMarshal, goPointer, goString, goStruct, omitEmpty } from '../files/go-json.ts';
import { toStateError } from '../files/state-error.ts';
import { corrupt, errnoCode, readGoFile, type StateIssue } from '../files/state-file.ts';
import { decodeRequest, encodeRequest, IMPERATIVE_REQUEST } from '../imperative-request.ts';
import { isMark, markCreating, removedMark, unmarkCreating } from './half-volumes.ts';
import { type VolumeOwner, type VolumeRecord, volumeKey } from './volume-record.ts';

const EXTENSION = goStruct({
  Key: goString,
  ContainerKey: goString,
  Target: goString,
  SpecHash: goString,
  OnRemove: goString,
  Released: goBool,
  Request: omitEmpty(goPointer(IMPERATIVE_REQUEST)),
});

/** Docker 1.4's fields, then ours under the one key `Tsdocker`. */
const VOLUME_JSON = goStruct({
  ID: goString,
  Path: goString,
  IsBindMount: goBool,
  Writable: goBool,
  Tsdocker: omitEmpty(goPointer(EXTENSION)),
});
type VolumeJson = GoValue<typeof VOLUME_JSON>;

function encode(volume: VolumeRecord): VolumeJson {
  const { id: ID, path: Path, writable: Writable, owner } = volume;
  if (owner.type === 'foreign') return { ID, Path, IsBindMount: false, Writable, Tsdocker: null };
  const extension = {
    Key: owner.type === 'named' ? owner.key : '',
    ContainerKey: owner.type === 'anonymous' ? owner.containerKey : '',
    Target: owner.type === 'anonymous' ? owner.target : '',
    SpecHash: volume.specHash,
    OnRemove: volume.onRemove,
    Released: volume.released,
    Request: encodeRequest(volume.request),
  };
  return { ID, Path, IsBindMount: false, Writable, Tsdocker: extension };
}

function decodeOwner(extension: VolumeJson['Tsdocker'], path: string): VolumeOwner {
  if (extension === null) return { type: 'foreign' };
  const { Key, ContainerKey, Target } = extension;
  if (/^volume\/[^/]+\/[^/]+$/.test(Key)) return { type: 'named', key: Key as ResourceKey };
  if (/^container\/[^/]+\/[^/]+$/.test(ContainerKey) && Target.startsWith('/')) {
    return { type: 'anonymous', containerKey: ContainerKey as ResourceKey, target: Target };
  }
  throw corrupt(path, 'names no owner');
}

/** One text for each owner that a volume can be looked up by. */
function ownerIndex(owner: VolumeOwner): string | null {
  if (owner.type === 'named') return owner.key;
  return owner.type === 'anonymous' ? `${owner.containerKey} ${owner.target}` : null;
}

/** Null for the entry of a bind mount, which Docker does not load again either. @throws TsdError TSD_STATE_CORRUPT. */
function loadVolume(configPath: string, id: string, dataPath: string): VolumeRecord | null {
  const json = readGoFile(configPath, VOLUME_JSON);
  if (json === null) throw corrupt(configPath, 'is missing');
  if (json.ID !== id) throw corrupt(configPath, `Volume ${json.ID} is stored at ${id}`);
  if (json.IsBindMount) return null;
  const data = lstatSync(dataPath, { throwIfNoEntry: false });
  if (!data?.isDirectory()) throw corrupt(dataPath, 'the data of a volume is missing');
  return {
    id,
    path: dataPath,
    writable: json.Writable,
    owner: decodeOwner(json.Tsdocker, configPath),
    specHash: json.Tsdocker?.SpecHash ?? '',
    onRemove: json.Tsdocker?.OnRemove === 'delete' ? 'delete' : 'keep',
    released: json.Tsdocker?.Released ?? false,
    ...decodeRequest(json.Tsdocker?.Request ?? null),
  };
}

/** Nothing to do where it is gone already. @throws TsdError */
function moveAway(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (errnoCode(error) !== 'ENOENT') throw toStateError(error, `remove ${from}`);
  }
}

/**
 * volumes/ with its data in vfs/dir/: loaded once and kept in memory. vfs/dir is shared with the graph driver vfs, so
 * {@link ids} must be spared when orphaned layers are collected.
 */
export class VolumeStore {
  readonly #root: string;
  readonly #files: StateFiles;
  readonly #volumes = new Map<string, VolumeRecord>();
  readonly #idsByOwner = new Map<string, string>();
  readonly #damaged = new Map<string, TsdError>();

  /** @throws TsdError only when volumes/ itself cannot be listed; a bad volume becomes one of {@link issues}. */
  constructor(root: string, files: StateFiles) {
    this.#root = root;
    this.#files = files;
    for (const id of readdirSync(join(root, 'volumes'))) {
      if (isMark(id)) continue;
      try {
        const volume = loadVolume(this.#configPath(id), id, this.#dataPath(id));
        if (volume !== null) this.#remember(volume);
      } catch (error) {
        const path = this.#configPath(id);
        this.#damaged.set(id, error instanceof TsdError ? error : corrupt(path, String(error), error));
      }
    }
  }

  /** Volumes that could not be read. They and their data stay on disk. */
  get issues(): readonly StateIssue[] {
    return [...this.#damaged].map(([id, error]) => ({ path: this.#configPath(id), error }));
  }

  /** Why the records of volumes cannot be read, by id. */
  get damaged(): ReadonlyMap<string, TsdError> {
    return this.#damaged;
  }

  /** Directory of what is recorded of a volume. */
  entryPath(id: string): string {
    return join(this.#root, 'volumes', id);
  }

  /** Every id with an entry, readable or not. */
  ids(): ReadonlySet<string> {
    return new Set([...this.#volumes.keys(), ...this.#damaged.keys()]);
  }

  all(): readonly VolumeRecord[] {
    return [...this.#volumes.values()];
  }

  get(id: string): VolumeRecord | undefined {
    return this.#volumes.get(id);
  }

  named(key: ResourceKey): VolumeRecord | undefined {
    return this.#ownedBy({ type: 'named', key });
  }

  /** By {@link volumeKey}: a declared one, or one without a name. */
  keyed(key: ResourceKey): VolumeRecord | undefined {
    return this.named(key) ?? this.all().find((volume) => volumeKey(volume) === key);
  }

  anonymous(containerKey: ResourceKey, target: string): VolumeRecord | undefined {
    return this.#ownedBy({ type: 'anonymous', containerKey, target });
  }

  /**
   * Makes the empty data directory and stages the entry; the volume exists once `batch` has been committed. Data that a
   * crash before that leaves is known by its mark.
   */
  create(volume: Omit<VolumeRecord, 'path'>, batch: DurableBatch): VolumeRecord {
    const { id } = volume;
    if (this.ids().has(id)) throw corrupt(this.#configPath(id), 'exists already');
    const record: VolumeRecord = { ...volume, path: this.#dataPath(id) };
    const temporary = this.#files.temporaryPath(`volume-${id}`);
    const data = this.#files.temporaryPath(`volume-data-${id}`);
    const config = join(temporary, 'config.json');
    try {
      markCreating(this.#root, id);
      for (const directory of [temporary, data]) mkdirSync(directory, { mode: 0o755 });
      writeFileSync(config, goMarshal(VOLUME_JSON, encode(record)), { mode: 0o600 });
    } catch (error) {
      for (const directory of [temporary, data]) rmSync(directory, { recursive: true, force: true });
      unmarkCreating(this.#root, id);
      throw toStateError(error, `create volume ${id}`);
    }
    batch.directory(data, record.path, []);
    const published = (): void => {
      this.#remember(record);
      unmarkCreating(this.#root, id);
    };
    batch.directory(temporary, join(this.#root, 'volumes', id), [config], { published });
    return record;
  }

  /** Replaces what is recorded of a volume, its owner, release or adoption, once `batch` has been committed. */
  update(volume: VolumeRecord, batch: DurableBatch): void {
    if (!this.#volumes.has(volume.id)) throw new TsdError('TSD_BUG', `volume ${volume.id} is not loaded`);
    const content = goMarshal(VOLUME_JSON, encode(volume));
    batch.file(this.#configPath(volume.id), { content, mode: 0o600, published: () => this.#remember(volume) });
  }

  /** Deletes a volume with its data, for good. The caller has asked for approval. An unknown id is a no-op. */
  async remove(id: string): Promise<void> {
    if (!this.#volumes.has(id)) return;
    const mark = removedMark(this.#root, id);
    const aside = this.#files.temporaryPath(`removed-volume-${id}`);
    const dataAside = this.#files.temporaryPath(`removed-data-${id}`);
    const entry = join(this.#root, 'volumes', id);
    // The entry goes first, and says that the data is to go: an entry without data would be an error for ever.
    moveAway(entry, mark);
    try {
      moveAway(this.#dataPath(id), dataAside);
    } catch (error) {
      // A later pass that finds the mark removes the data; until then it is in use.
      moveAway(mark, entry);
      throw error;
    }
    moveAway(mark, aside);
    this.#forget(id);
    await Promise.all([aside, dataAside].map(removeTree));
  }

  #ownedBy(owner: VolumeOwner): VolumeRecord | undefined {
    const id = this.#idsByOwner.get(ownerIndex(owner) ?? '');
    return id === undefined ? undefined : this.#volumes.get(id);
  }

  #remember(volume: VolumeRecord): void {
    this.#forget(volume.id);
    this.#volumes.set(volume.id, volume);
    const owner = ownerIndex(volume.owner);
    if (owner !== null) this.#idsByOwner.set(owner, volume.id);
  }

  #forget(id: string): void {
    const volume = this.#volumes.get(id);
    if (volume === undefined) return;
    this.#volumes.delete(id);
    const owner = ownerIndex(volume.owner);
    if (owner !== null && this.#idsByOwner.get(owner) === id) this.#idsByOwner.delete(owner);
  }

  #configPath(id: string): string {
    return join(this.#root, 'volumes', id, 'config.json');
  }

  #dataPath(id: string): string {
    return join(this.#root, 'vfs', 'dir', id);
  }
}
