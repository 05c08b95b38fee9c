import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { syncDirectory } from '../../../ffi/files/files.ts';
import { fileError } from '../../../ffi/files/layer-files.ts';
import { ListedDirectory } from '../../../ffi/files/listed-directory.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Fingerprint } from '../../contract/driver.ts';
import type { GraphDriver, LayerChange, LayerFiles, LayerTarget, RootMount } from '../../contract/graph.ts';
import { BuildArea, syncFilesystem } from '../build-area.ts';
import { LayersInFlight } from '../in-flight.ts';
import { checkLayerId, isLayerId, missingLayer, missingParent, parentConflict, stillUsed } from '../layer-id.ts';
import { treeSize } from '../tree-size.ts';
import { unionChanges } from '../union-changes.ts';
import { OVERLAY_FORMAT } from './format.ts';
import { probeOverlay } from './probe.ts';

type Listed = ReturnType<GraphDriver['list']>[number];

/**
 * Layers and snapshots as overlayfs directories below `<root>/overlay`:
 *
 *   <id>/diff, <id>/lower, id     a layer: what it changes, the ids below it, nearest first, one a line, and its own
 *   <id>/upper, work, lower-id    a snapshot: as Docker 1.4 has it, lower-id is the parent
 *   <id>/root                     a layer of Docker 1.4: complete, read as the lowest directory and never written
 */
class OverlayDriver implements GraphDriver {
  readonly name = 'overlay';
  readonly #home: string;
  readonly #area: BuildArea;
  readonly #inFlight = new LayersInFlight();
  readonly #listed: ListedDirectory;

  constructor(root: string) {
    this.#home = join(root, 'overlay');
    this.#listed = new ListedDirectory(this.#home, isLayerId);
    this.#area = new BuildArea(this.#home);
    this.#area.clear();
  }

  fingerprint(): Fingerprint {
    return probeOverlay(this.#home, this.#area);
  }

  async createLayer(id: string, parent: string | null, fill: (target: LayerTarget) => Promise<void>): Promise<void> {
    checkLayerId(id);
    const existing = this.#read(id);
    if (existing !== null) {
      if (existing.type !== 'layer' || existing.parent !== parent) throw parentConflict(id, existing.parent, parent);
      return;
    }
    const lower = parent === null ? [] : this.#chain(id, parent);
    await this.#inFlight.once(id, parent, () => this.#buildLayer(id, lower, fill));
  }

  async createSnapshot(id: string, parent: string | null): Promise<void> {
    checkLayerId(id);
    const existing = this.#read(id);
    if (existing !== null) {
      if (existing.type !== 'snapshot' || existing.parent !== parent) throw parentConflict(id, existing.parent, parent);
      return;
    }
    const lower = parent === null ? [] : this.#chain(id, parent);
    const build = this.#area.make();
    try {
      mkdirSync(join(build, 'work'));
      this.#makeRootDirectory(join(build, 'upper'), lower);
      this.#writeParent(join(build, 'lower-id'), parent);
      renameSync(build, join(this.#home, id));
    } catch (thrown) {
      rmSync(build, { recursive: true, force: true });
      throw fileError(thrown, `create snapshot ${id}`);
    }
  }

  rootMount(id: string): RootMount {
    const snapshot = this.#read(id);
    if (snapshot === null || snapshot.type !== 'snapshot') {
      throw new TsdError('TSD_IMAGE_MISSING', `snapshot ${id} does not exist`, { step: 'root filesystem' });
    }
    const home = join(this.#home, id);
    const upper = join(home, 'upper');
    // overlayfs needs a lower directory; without one the upper directory is the whole filesystem.
    if (snapshot.parent === null) return { type: 'bind', source: upper };
    const lowers = this.#chain(id, snapshot.parent).map((layer) => this.#content(layer));
    return { type: 'overlay', lowers, upper, work: join(home, 'work') };
  }

  openLayer(id: string): LayerFiles {
    if (this.#read(id)?.type !== 'layer') throw missingLayer(id, 'open layer');
    return { path: this.#content(id), close: () => {} };
  }

  changes(id: string, signal?: AbortSignal): AsyncIterable<LayerChange> {
    const found = this.#read(id);
    if (found === null) throw missingLayer(id, 'changes');
    const lowers = found.parent === null ? [] : this.#chain(id, found.parent).map((layer) => this.#content(layer));
    return unionChanges(OVERLAY_FORMAT, this.#written(found), lowers, signal);
  }

  async remove(id: string): Promise<void> {
    checkLayerId(id);
    this.#inFlight.refuseUse(id);
    // Nothing builds on a snapshot, so the containers' own need no look at all the others.
    if (this.#read(id)?.type === 'layer') {
      const child = this.list().find(({ parent }) => parent === id);
      if (child !== undefined) throw stillUsed(id, child.id);
    }
    await this.#area.remove(join(this.#home, id));
  }

  exists(id: string): boolean {
    return isLayerId(id) && this.#read(id) !== null;
  }

  ids(): readonly string[] {
    return this.#listed.names();
  }

  list(): readonly Listed[] {
    return this.ids().map((id) => this.#read(id) ?? { id, parent: null, type: 'layer' });
  }

  async size(id: string): Promise<number> {
    const found = this.#read(id);
    if (found === null) throw missingLayer(id, 'size');
    return treeSize(this.#written(found));
  }

  close(): void {}

  async #buildLayer(id: string, lower: readonly string[], fill: (target: LayerTarget) => Promise<void>): Promise<void> {
    const build = this.#area.make();
    try {
      const diff = join(build, 'diff');
      this.#makeRootDirectory(diff, lower);
      await fill({ path: diff, whiteouts: 'overlay' });
      writeFileSync(join(build, 'lower'), lower.map((layer) => `${layer}\n`).join(''), { mode: 0o600 });
      writeFileSync(join(build, 'id'), id, { mode: 0o600 });
      await syncFilesystem(build);
      renameSync(build, join(this.#home, id));
      syncDirectory(this.#home);
    } catch (thrown) {
      await this.#area.discard(build);
      throw fileError(thrown, `create layer ${id}`);
    }
  }

  /**
   * Names the parent so that a crash of the host cannot leave the file empty, which would mean none: a link to a file that
   * was synced with its layer costs nothing.
   */
  #writeParent(path: string, parent: string | null): void {
    if (parent === null) {
      writeFileSync(path, '', { mode: 0o600 });
      return;
    }
    try {
      linkSync(join(this.#home, parent, 'id'), path);
    } catch {
      // A layer of Docker's, or one with as many links as the filesystem takes.
      writeFileSync(path, parent, { mode: 0o600, flush: true });
    }
  }

  /** The root directory of a merged view is the topmost one, so a new one starts with the owner and mode of the one below. */
  #makeRootDirectory(path: string, lower: readonly string[]): void {
    mkdirSync(path, { mode: 0o755 });
    const below = lower[0];
    if (below === undefined) {
      chmodSync(path, 0o755);
      return;
    }
    const stat = statSync(this.#content(below));
    chownSync(path, stat.uid, stat.gid);
    chmodSync(path, stat.mode & 0o7777);
  }

  /** `layer` and all below it, nearest first. @throws TSD_IMAGE_MISSING. */
  #chain(child: string, layer: string): string[] {
    const lower = readText(join(this.#home, layer, 'lower'));
    // One of Docker's lies on none.
    if (lower === null && this.#read(layer)?.type !== 'layer') throw missingParent(child, layer);
    return [layer, ...linesOf(lower ?? '')];
  }

  /** The directory with what a layer or snapshot itself holds. */
  #written({ id, type }: Listed): string {
    return type === 'snapshot' ? join(this.#home, id, 'upper') : this.#content(id);
  }

  #content(id: string): string {
    const diff = join(this.#home, id, 'diff');
    return existsSync(diff) ? diff : join(this.#home, id, 'root');
  }

  /** Returns the entry at `id`; null when it is missing or incomplete. */
  #read(id: string): Listed | null {
    const home = join(this.#home, id);
    if (!isThere(home)) return null;
    const lowerId = readText(join(home, 'lower-id'));
    if (lowerId !== null) {
      return existsSync(join(home, 'upper')) ? { id, parent: lowerId === '' ? null : lowerId, type: 'snapshot' } : null;
    }
    const lower = readText(join(home, 'lower'));
    if (lower !== null) return { id, parent: linesOf(lower)[0] ?? null, type: 'layer' };
    return existsSync(join(home, 'root')) ? { id, parent: null, type: 'layer' } : null;
  }
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** @throws TsdError of a filesystem that fails: what cannot be looked at is not gone. */
function isThere(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (thrown) {
    throw fileError(thrown, `read ${path}`);
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    // A directory in its place is damage of this one, and no reason to look at nothing at all.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return null;
    throw fileError(thrown, `read ${path}`);
  }
}

/** The overlay driver of a root directory. Removes what an interrupted predecessor left unfinished. */
export function createOverlayDriver(root: string): GraphDriver {
  return new OverlayDriver(root);
}
