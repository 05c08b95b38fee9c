import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { syncDirectory } from '../../../ffi/files.ts';
import { fileError } from '../../../ffi/layer-files.ts';
import { TsdError } from '../../../model/errors.ts';
import type { Fingerprint, GraphDriver, LayerTarget, RootMount } from '../../contract.ts';
import { backingFilesystem } from '../backing-filesystem.ts';
import { BuildArea, syncFilesystem } from '../build-area.ts';
import { LayersInFlight } from '../in-flight.ts';
import { checkLayerId, isLayerId, missingParent, parentConflict, stillUsed } from '../layer-id.ts';
import { treeSize } from '../tree-size.ts';
import { copyTree } from './copy-tree.ts';

type Listed = ReturnType<GraphDriver['list']>[number];

/** Files copied in one turn of the event loop. */
const BATCH = 64;

/**
 * Every layer and snapshot is a full copy, below `<root>/vfs`:
 *
 *   dir/<id>        the files. Docker 1.4 keeps the data of volumes here too
 *   records/<id>    `layer` or `snapshot`, a space, the parent's id or nothing; only what has one is ours to list
 */
class VfsDriver implements GraphDriver {
  readonly name = 'vfs';
  readonly #home: string;
  readonly #area: BuildArea;
  readonly #inFlight = new LayersInFlight();

  constructor(root: string) {
    this.#home = join(root, 'vfs');
    this.#area = new BuildArea(this.#home);
    this.#area.clear();
    this.#dropRecordsWithoutFiles();
  }

  fingerprint(): Fingerprint {
    const attributes = { 'backing filesystem': backingFilesystem(this.#home).name };
    if (process.getuid?.() === 0) return { works: true, problems: [], attributes };
    const problem = { what: 'owners of files can only be kept by root', fix: 'Run the supervisor as root.' };
    return { works: false, problems: [problem], attributes };
  }

  async createLayer(id: string, parent: string | null, fill: (target: LayerTarget) => Promise<void>): Promise<void> {
    if (!this.#isNew({ id, parent, type: 'layer' })) return;
    await this.#inFlight.once(id, parent, async () => {
      const build = this.#area.make();
      try {
        const path = join(build, 'files');
        if (parent === null) mkdirSync(path, { mode: 0o755 });
        else await this.#copySlowly(this.#files(parent), path);
        await fill({ path, whiteouts: 'delete' });
        await syncFilesystem(build);
        this.#commit({ id, parent, type: 'layer' }, path);
        syncDirectory(join(this.#home, 'dir'));
      } catch (thrown) {
        throw fileError(thrown, `create layer ${id}`);
      } finally {
        await this.#area.discard(build);
      }
    });
  }

  createSnapshot(id: string, parent: string | null): void {
    if (!this.#isNew({ id, parent, type: 'snapshot' })) return;
    const build = this.#area.make();
    try {
      const path = join(build, 'files');
      if (parent === null) mkdirSync(path, { mode: 0o755 });
      else for (const _file of copyTree(this.#files(parent), path));
      this.#commit({ id, parent, type: 'snapshot' }, path);
    } catch (thrown) {
      throw fileError(thrown, `create snapshot ${id}`);
    } finally {
      rmSync(build, { recursive: true, force: true });
    }
  }

  rootMount(id: string): RootMount {
    if (this.#record(id)?.type !== 'snapshot' || !this.exists(id)) {
      throw new TsdError('TSD_IMAGE_MISSING', `snapshot ${id} does not exist`, { step: 'root filesystem' });
    }
    return { type: 'bind', source: this.#files(id) };
  }

  async remove(id: string): Promise<void> {
    checkLayerId(id);
    this.#inFlight.refuseUse(id);
    if (this.#record(id)?.type !== 'snapshot') {
      const child = this.list().find(({ parent }) => parent === id);
      if (child !== undefined) throw stillUsed(id, child.id);
    }
    await this.#area.remove(this.#files(id));
    rmSync(this.#recordPath(id), { force: true });
  }

  exists(id: string): boolean {
    return isLayerId(id) && existsSync(this.#files(id));
  }

  list(): readonly Listed[] {
    const records = join(this.#home, 'records');
    if (!existsSync(records)) return [];
    return readdirSync(records)
      .filter(isLayerId)
      .map((id) => this.#record(id) ?? { id, parent: null, type: 'layer' });
  }

  async size(id: string): Promise<number> {
    if (!this.exists(id)) throw new TsdError('TSD_IMAGE_MISSING', `layer ${id} does not exist`, { step: 'size' });
    return treeSize(this.#files(id));
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

  /** The record comes first: files without a record would be taken for a volume and never be removed. */
  #commit(made: Listed, path: string): void {
    for (const name of ['records', 'dir']) mkdirSync(join(this.#home, name), { recursive: true, mode: 0o700 });
    const record = this.#recordPath(made.id);
    writeFileSync(record, `${made.type} ${made.parent ?? ''}`, { flush: made.type === 'layer' });
    try {
      renameSync(path, this.#files(made.id));
    } catch (thrown) {
      rmSync(record, { force: true });
      throw thrown;
    }
  }

  #dropRecordsWithoutFiles(): void {
    for (const { id } of this.list()) if (!this.exists(id)) rmSync(this.#recordPath(id), { force: true });
  }

  async #copySlowly(from: string, to: string): Promise<void> {
    let copied = 0;
    for (const _file of copyTree(from, to)) if (++copied % BATCH === 0) await nextTurn();
  }

  #files(id: string): string {
    return join(this.#home, 'dir', id);
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

/** The vfs driver of a root directory. Removes what an interrupted predecessor left unfinished. */
export function createVfsDriver(root: string): GraphDriver {
  return new VfsDriver(root);
}
