import type { Names } from '../names.ts';
import type { Firewall } from './firewall.ts';
import { neighbourChanges, openNeighbours, type Passage } from './firewall-neighbours.ts';

/** Whether what was opened in tables of others is open still: a reload of ufw, or a start of dockerd, may change it. */
export class NeighbourWatch {
  readonly #names: Names;
  #passage: Passage | null = null;
  #seen: { readonly generation: number; readonly isOpen: boolean } | null = null;

  constructor(names: Names) {
    this.#names = names;
  }

  open(firewall: Firewall, passage: Passage): void {
    this.#seen = null;
    openNeighbours((step, commands) => firewall.run(step, commands), this.#names, passage);
    this.#passage = passage;
  }

  /** Asked again only where some table has changed since. */
  isOpen(firewall: Firewall): boolean {
    const passage = this.#passage;
    if (passage === null) return true;
    const { generation } = firewall;
    if (this.#seen?.generation === generation) return this.#seen.isOpen;
    const missing = neighbourChanges((step, commands) => firewall.run(step, commands), this.#names, passage);
    const isOpen = missing.length === 0;
    this.#seen = { generation, isOpen };
    return isOpen;
  }
}
