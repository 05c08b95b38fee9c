import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '../../../ffi/files/files.ts';
import { fileError } from '../../../ffi/files/layer-files.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Fingerprint } from '../../contract/driver.ts';
import type { GraphDriver, LayerChange, LayerFiles, LayerTarget, RootMount } from '../../contract/graph.ts';
import { BuildArea, syncFilesystem } from '../build-area.ts';
import { LayersInFlight } from '../in-flight.ts';
import { checkLayerId, isLayerId, missingLayer, missingParent, parentConflict, stillUsed } from '../layer-id.ts';
import { treeSize } from '../tree-size.ts';
import { unionChanges } from '../union-changes.ts';
import { AUFS_FORMAT } from './format.ts';
import { aufsMountCalls } from './mount-calls.ts';
import { probeAufs, takesDirperm1 } from './probe.ts';

type Listed = ReturnType<GraphDriver['list']>[number];

/**
 * Layers and snapshots as branches of aufs below `<root>/aufs`, as Docker 1.4 has them:
 *
 *   diff/<id>        what a layer or snapshot changes
 *   layers/<id>      the ids below it, nearest first, one a line; what has none, or no diff, does not exist
 *   mnt/             where Docker mounts; nothing is mounted there by us
 *   snapshots/<id>   ours: this id is a container's
 */
class AufsDriver implements GraphDriver {
  readonly name = 'aufs';
  readonly #home: string;
  readonly #area: BuildArea;
  readonly #inFlight = new LayersInFlight();
  #dirperm1: boolean | null = null;

  constructor(root: string) {
    this.#home = join(root, 'aufs');
    this.#area = new BuildArea(this.#home);
    this.#area.clear();
    this.#dropWithoutDiff();
  }

  fingerprint(): Fingerprint {
    return probeAufs(this.#home);
  }

  async createLayer(id: string, parent: string | null, fill: (target: LayerTarget) => Promise<void>): Promise<void> {
    if (!this.#isNew({ id, parent, type: 'layer' })) return;
    const below = parent === null ? [] : this.#chain(id, parent);
    await this.#inFlight.once(id, parent, async () => {
      const build = this.#area.make();
      try {
        const diff = join(build, 'diff');
        this.#makeRootDirectory(diff, below);
        await fill({ path: diff, whiteouts: 'aufs' });
        await syncFilesystem(build);
        this.#commit({ id, parent, type: 'layer' }, below, diff);
        syncDirectory(join(this.#home, 'diff'));
      } catch (thrown) {
        throw fileError(thrown, `create layer ${id}`);
      } finally {
        await this.#area.discard(build);
      }
    });
  }

  async createSnapshot(id: string, parent: string | null): Promise<void> {
    if (!this.#isNew({ id, parent, type: 'snapshot' })) return;
    const below = parent === null ? [] : this.#chain(id, parent);
    const build = this.#area.make();
    try {
      const diff = join(build, 'diff');
      this.#makeRootDirectory(diff, below);
      this.#commit({ id, parent, type: 'snapshot' }, below, diff);
    } catch (thrown) {
      throw fileError(thrown, `create snapshot ${id}`);
    } finally {
      rmSync(build, { recursive: true, force: true });
    }
  }

  rootMount(id: string): RootMount {
    const snapshot = this.#read(id);
    if (snapshot?.type !== 'snapshot') {
      throw new TsdError('TSD_IMAGE_MISSING', `snapshot ${id} does not exist`, { step: 'root filesystem' });
    }
    const writable = this.#at('diff', id);
    if (snapshot.parent === null) return { type: 'bind', source: writable };
    const layers = this.#below(id).map((layer) => this.#at('diff', layer));
    this.#dirperm1 ??= takesDirperm1(this.#home);
    const calls = aufsMountCalls({ writable, layers, dirperm1: this.#dirperm1 });
    return { type: 'calls', place: join(this.#home, '.passing'), calls, subdirectory: '' };
  }

  openLayer(id: string): LayerFiles {
    if (this.#read(id)?.type !== 'layer') throw missingLayer(id, 'open layer');
    return { path: this.#at('diff', id), close: () => {} };
  }

  changes(id: string, signal?: AbortSignal): AsyncIterable<LayerChange> {
    if (!this.exists(id)) throw missingLayer(id, 'changes');
    const below = this.#below(id).map((layer) => this.#at('diff', layer));
    return unionChanges(AUFS_FORMAT, this.#at('diff', id), below, signal);
  }

  async remove(id: string): Promise<void> {
    checkLayerId(id);
    this.#inFlight.refuseUse(id);
    if (this.#read(id)?.type === 'layer') {
      const child = this.list().find(({ parent }) => parent === id);
      if (child !== undefined) throw stillUsed(id, child.id);
    }
    await this.#area.remove(this.#at('diff', id));
    for (const kind of ['layers', 'snapshots']) rmSync(this.#at(kind, id), { force: true });
    // Docker's mount point of it.
    rmSync(this.#at('mnt', id), { recursive: true, force: true });
  }

  exists(id: string): boolean {
    return isLayerId(id) && this.#read(id) !== null;
  }

  ids(): readonly string[] {
    const names = new Set(['diff', 'layers'].flatMap((kind) => namesOf(join(this.#home, kind))));
    return [...names].filter(isLayerId);
  }

  list(): readonly Listed[] {
    return this.ids().map((id) => this.#read(id) ?? { id, parent: null, type: 'layer' });
  }

  async size(id: string): Promise<number> {
    if (!this.exists(id)) throw missingLayer(id, 'size');
    return treeSize(this.#at('diff', id));
  }

  close(): void {}

  #at(kind: string, id: string): string {
    return join(this.#home, kind, id);
  }

  /** A crash between the two steps of a commit, or of a removal. */
  #dropWithoutDiff(): void {
    for (const id of namesOf(join(this.#home, 'layers')).filter(isLayerId)) {
      if (existsSync(this.#at('diff', id))) continue;
      for (const kind of ['layers', 'snapshots']) rmSync(this.#at(kind, id), { force: true });
    }
  }

  /** The root directory of a union is that of its topmost branch, so a new one starts with the owner and mode of the one below. */
  #makeRootDirectory(path: string, below: readonly string[]): void {
    mkdirSync(path);
    const nearest = below[0];
    const like = nearest === undefined ? null : statSync(this.#at('diff', nearest));
    if (like !== null) chownSync(path, like.uid, like.gid);
    chmodSync(path, like === null ? 0o755 : like.mode & 0o7777);
  }

  /** The metadata is written first: a diff without it counts as an unfinished layer. */
  #commit({ id, type }: Listed, below: readonly string[], diff: string): void {
    for (const kind of ['diff', 'layers', 'mnt', 'snapshots']) {
      mkdirSync(join(this.#home, kind), { recursive: true, mode: 0o700 });
    }
    const flush = type === 'layer';
    if (type === 'snapshot') writeFileSync(this.#at('snapshots', id), '', { mode: 0o600 });
    writeFileSync(this.#at('layers', id), below.map((layer) => `${layer}\n`).join(''), { mode: 0o600, flush });
    renameSync(diff, this.#at('diff', id));
  }

  /** @returns false when it exists as wanted. @throws TSD_LAYER_CONFLICT. */
  #isNew({ id, parent, type }: Listed): boolean {
    checkLayerId(id);
    const found = this.#read(id);
    if (found === null) return true;
    if (found.type === type && found.parent === parent) return false;
    throw parentConflict(id, found.parent, parent);
  }

  /** `layer` and all below it, nearest first. @throws TSD_IMAGE_MISSING. */
  #chain(child: string, layer: string): string[] {
    if (this.#read(layer)?.type !== 'layer') throw missingParent(child, layer);
    return [layer, ...this.#below(layer)];
  }

  #below(id: string): string[] {
    return readFileSync(this.#at('layers', id), 'utf8').split('\n').filter(isLayerId);
  }

  /** Returns the entry at `id`; null when it is missing or incomplete. */
  #read(id: string): Listed | null {
    if (!existsSync(this.#at('layers', id)) || !existsSync(this.#at('diff', id))) return null;
    const type = existsSync(this.#at('snapshots', id)) ? 'snapshot' : 'layer';
    return { id, parent: this.#below(id)[0] ?? null, type };
  }
}

const namesOf = (directory: string): readonly string[] => (existsSync(directory) ? readdirSync(directory) : []);

/** The aufs driver of a root directory. Removes what an interrupted predecessor left unfinished. */
export function createAufsDriver(root: string): GraphDriver {
  return new AufsDriver(root);
}
