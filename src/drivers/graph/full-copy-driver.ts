import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '../../ffi/files/files.ts';
import { fileError } from '../../ffi/files/layer-files.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { Fingerprint } from '../contract/driver.ts';
import type { GraphDriver, LayerChange, LayerFiles, LayerTarget, RootMount } from '../contract/graph.ts';
import { BuildArea, syncFilesystem } from './build-area.ts';
import { LayersInFlight } from './in-flight.ts';
import { checkLayerId, isLayerId, missingLayer, missingParent, parentConflict, stillUsed } from './layer-id.ts';
import { treeChanges } from './tree-changes.ts';

type Listed = ReturnType<GraphDriver['list']>[number];

/** How a driver makes, copies and measures directory trees that hold a complete root filesystem. */
export interface Trees {
  /** Name of the driver and of its directory. */
  readonly name: string;
  /** Subdirectory of the home that holds the trees by id. */
  readonly directory: string;
  fingerprint(home: string): Fingerprint;
  makeEmpty(path: string): void;
  /** Runs in the background. */
  copy(from: string, to: string): Promise<void>;
  /** True when the content of a copy is on the disk as the original is. */
  readonly copiesAreDurable: boolean;
  /** Deletes a tree in the build area faster than file by file, as far as it can; the rest is deleted as files. */
  destroy(path: string): void;
  /** Bytes on disk of a tree; `below` is what it was copied from. */
  size(tree: string, below: string | null): Promise<number>;
}

/**
 * Every layer and snapshot is a complete tree, below `<root>/<name>`:
 *
 *   <directory>/<id>   the files. Docker 1.4's vfs keeps the data of volumes there too
 *   records/<id>       `layer` or `snapshot`, a space, the parent's id or nothing; only what has one is ours to list
 */
export class FullCopyDriver implements GraphDriver {
  readonly name: string;
  readonly #home: string;
  readonly #trees: Trees;
  readonly #area: BuildArea;
  readonly #inFlight = new LayersInFlight();

  constructor(root: string, trees: Trees) {
    this.name = trees.name;
    this.#home = join(root, trees.name);
    this.#trees = trees;
    this.#area = new BuildArea(this.#home);
    this.#area.clear();
    this.#dropRecordsWithoutFiles();
  }

  fingerprint(): Fingerprint {
    return this.#trees.fingerprint(this.#home);
  }

  async createLayer(id: string, parent: string | null, fill: (target: LayerTarget) => Promise<void>): Promise<void> {
    await this.#make({ id, parent, type: 'layer' }, true, (path) => fill({ path, whiteouts: 'delete' }));
  }

  async createSnapshot(id: string, parent: string | null): Promise<void> {
    const { copiesAreDurable } = this.#trees;
    await this.#make({ id, parent, type: 'snapshot' }, !copiesAreDurable && parent !== null, async () => {});
  }

  rootMount(id: string): RootMount {
    if (this.#record(id)?.type !== 'snapshot' || !this.exists(id)) {
      throw new TsdError('TSD_IMAGE_MISSING', `snapshot ${id} does not exist`, { step: 'root filesystem' });
    }
    return { type: 'bind', source: this.#files(id) };
  }

  openLayer(id: string): LayerFiles {
    return { path: this.#existing(id, 'open layer'), close: () => {} };
  }

  changes(id: string, signal?: AbortSignal): AsyncIterable<LayerChange> {
    return treeChanges(this.#existing(id, 'changes'), this.#below(id), { signal });
  }

  async remove(id: string): Promise<void> {
    checkLayerId(id);
    this.#inFlight.refuseUse(id);
    if (this.#record(id)?.type !== 'snapshot') {
      const child = this.list().find(({ parent }) => parent === id);
      if (child !== undefined) throw stillUsed(id, child.id);
    }
    await this.#area.remove(this.#files(id), (path) => this.#trees.destroy(path));
    rmSync(this.#recordPath(id), { force: true });
  }

  exists(id: string): boolean {
    return isLayerId(id) && existsSync(this.#files(id));
  }

  ids(): readonly string[] {
    const records = join(this.#home, 'records');
    return existsSync(records) ? readdirSync(records).filter(isLayerId) : [];
  }

  list(): readonly Listed[] {
    return this.ids().map((id) => this.#record(id) ?? { id, parent: null, type: 'layer' });
  }

  async size(id: string): Promise<number> {
    return this.#trees.size(this.#existing(id, 'size'), this.#below(id));
  }

  close(): void {}

  /** Path of the files of what must exist. @throws TSD_IMAGE_MISSING. */
  #existing(id: string, step: string): string {
    if (!this.exists(id)) throw missingLayer(id, step);
    return this.#files(id);
  }

  #below(id: string): string | null {
    const parent = this.#record(id)?.parent ?? null;
    return parent === null ? null : this.#files(parent);
  }

  /** @returns false when it exists as wanted. @throws TSD_LAYER_CONFLICT, TSD_IMAGE_MISSING. */
  #isNew(wanted: Listed): boolean {
    checkLayerId(wanted.id);
    if (this.exists(wanted.id)) {
      const found = this.#record(wanted.id);
      if (found?.type === wanted.type && found.parent === wanted.parent) return false;
      throw parentConflict(wanted.id, found?.parent ?? null, wanted.parent);
    }
    if (wanted.parent !== null && !this.exists(wanted.parent)) throw missingParent(wanted.id, wanted.parent);
    return true;
  }

  async #make(made: Listed, sync: boolean, fill: (path: string) => Promise<void>): Promise<void> {
    if (!this.#isNew(made)) return;
    const { id, parent, type } = made;
    await this.#inFlight.once(id, parent, async () => {
      const build = this.#area.make();
      const path = join(build, 'files');
      try {
        if (parent === null) this.#trees.makeEmpty(path);
        else await this.#trees.copy(this.#files(parent), path);
        await fill(path);
        if (sync) await syncFilesystem(build);
        this.#commit(made, path);
      } catch (thrown) {
        throw fileError(thrown, `create ${type} ${id}`);
      } finally {
        this.#trees.destroy(path);
        await this.#area.discard(build);
      }
    });
  }

  /** The record comes first: files without a record would be taken for a volume and never be removed. */
  #commit(made: Listed, path: string): void {
    for (const name of ['records', this.#trees.directory]) {
      mkdirSync(join(this.#home, name), { recursive: true, mode: 0o700 });
    }
    const record = this.#recordPath(made.id);
    writeFileSync(record, `${made.type} ${made.parent ?? ''}`, { mode: 0o600, flush: true });
    try {
      renameSync(path, this.#files(made.id));
    } catch (thrown) {
      rmSync(record, { force: true });
      throw thrown;
    }
    syncDirectory(join(this.#home, this.#trees.directory));
  }

  #dropRecordsWithoutFiles(): void {
    for (const id of this.ids()) if (!this.exists(id)) rmSync(this.#recordPath(id), { force: true });
  }

  #files(id: string): string {
    return join(this.#home, this.#trees.directory, id);
  }

  #recordPath(id: string): string {
    return join(this.#home, 'records', id);
  }

  #record(id: string): Listed | null {
    if (!existsSync(this.#recordPath(id))) return null;
    const [type, parent] = readFileSync(this.#recordPath(id), 'utf8').split(' ');
    return {
      id,
      parent: parent === undefined || parent === '' ? null : parent,
      type: type === 'snapshot' ? type : 'layer',
    };
  }
}
