import type { GraphDriver, LayerChange, LayerFiles, LayerTarget, RootMount } from '../../src/drivers/contract/graph.ts';
import { TsdError } from '../../src/model/errors/errors.ts';
import type { Disk, LayerOnDisk } from './disk.ts';
import type { Life } from './universe.ts';

/** Layers and snapshots as entries on the simulated disk. */
export class SimGraph implements GraphDriver {
  readonly name = 'sim';
  readonly #life: Life;
  readonly #disk: Disk;

  constructor(life: Life, disk: Disk) {
    this.#life = life;
    this.#disk = disk;
  }

  fingerprint() {
    return { works: true, problems: [], attributes: {} };
  }

  async createLayer(id: string, parent: string | null, fill: (target: LayerTarget) => Promise<void>): Promise<void> {
    if (this.#disk.layers.has(id)) return;
    await fill({ path: `/sim/layers/${id}`, whiteouts: 'overlay' });
    await this.#life.pause('graph.layer');
    this.#add('graph.layer', id, { parent, type: 'layer' });
  }

  async createSnapshot(id: string, parent: string | null): Promise<void> {
    const known = this.#disk.layers.get(id);
    if (known?.type === 'snapshot' && known.parent === parent) return;
    if (known) throw new TsdError('TSD_LAYER_CONFLICT', `${id} exists with another parent`);
    this.#add('graph.snapshot', id, { parent, type: 'snapshot' });
  }

  #add(label: string, id: string, layer: LayerOnDisk): void {
    if (layer.parent !== null && !this.#disk.layers.has(layer.parent)) {
      throw new TsdError('TSD_LAYER_CONFLICT', `layer ${layer.parent} of ${id} does not exist`, { step: label });
    }
    this.#life.step(label);
    this.#disk.layers.set(id, layer);
  }

  async remove(id: string): Promise<void> {
    await this.#life.pause('graph.remove');
    const user = [...this.#disk.layers].find(([, { parent }]) => parent === id);
    if (user) throw new TsdError('TSD_LAYER_CONFLICT', `layer ${id} is used by ${user[0]}`);
    this.#life.step('graph.remove');
    this.#disk.layers.delete(id);
  }

  exists(id: string): boolean {
    return this.#disk.layers.has(id);
  }

  ids() {
    return [...this.#disk.layers.keys()];
  }

  list() {
    return [...this.#disk.layers].map(([id, layer]) => ({ id, ...layer }));
  }

  openLayer(id: string): LayerFiles {
    return { path: `/sim/layers/${id}`, close: () => {} };
  }

  rootMount(id: string): RootMount {
    if (!this.#disk.layers.has(id)) throw new TsdError('TSD_IMAGE_MISSING', `snapshot ${id} does not exist`);
    return { type: 'bind', source: `/sim/layers/${id}` };
  }

  close(): void {}

  async *changes(): AsyncIterable<LayerChange> {}

  size(): Promise<number> {
    return Promise.resolve(0);
  }
}
