import { TsdError } from '../../model/errors/errors.ts';
import { parentConflict } from './layer-id.ts';

/** Makes concurrent requests for one layer share the work of the first. */
export class LayersInFlight {
  readonly #running = new Map<string, { readonly parent: string | null; readonly done: Promise<void> }>();

  /** @throws TSD_LAYER_CONFLICT when the same layer is being made on another parent. */
  async once(id: string, parent: string | null, create: () => Promise<void>): Promise<void> {
    const running = this.#running.get(id);
    if (running !== undefined) {
      if (running.parent !== parent) throw parentConflict(id, running.parent, parent);
      await running.done;
      return;
    }
    const done = create().finally(() => this.#running.delete(id));
    this.#running.set(id, { parent, done });
    await done;
  }

  /** @throws TSD_LAYER_CONFLICT while a layer is being made on `id`. */
  refuseUse(id: string): void {
    for (const [child, { parent }] of this.#running) {
      if (parent === id || child === id) {
        throw new TsdError('TSD_LAYER_CONFLICT', `layer ${id} is in use: ${child} is being made`, {
          class: 'unavailable',
        });
      }
    }
  }
}
