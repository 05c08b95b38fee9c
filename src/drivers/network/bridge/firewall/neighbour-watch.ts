import type { Names } from '../names.ts';
import type { Firewall } from './firewall.ts';
import { neighbourChanges, openNeighbours, type Passage } from './firewall-neighbours.ts';

/** Whether what was opened in tables of others is open still: a reload of ufw, or a start of dockerd, may change it. */
export class NeighbourWatch {
  readonly #names: Names;
  #passage: Passage | null = null;
  #seen: { readonly generation: number; readonly outward: string; readonly isOpen: boolean } | null = null;

  constructor(names: Names) {
    this.#names = names;
  }

  open(firewall: Firewall, passage: Passage): void {
    this.#seen = null;
    openNeighbours((step, commands) => firewall.run(step, commands), this.#names, passage);
    this.#passage = passage;
  }

  /**
   * Asked again only where some table has changed since, or there are other interfaces.
   * @param outward interfaces that lead out of the host now: those that came since are to be open too
   */
  isOpen(firewall: Firewall, outward: readonly string[]): boolean {
    const passage = this.#passage;
    if (passage === null) return true;
    const { generation } = firewall;
    const added = outward.filter((name) => !passage.outward.includes(name));
    const key = added.join(' ');
    if (this.#seen?.generation === generation && this.#seen.outward === key) return this.#seen.isOpen;
    const wanted = { ...passage, outward: [...passage.outward, ...added] };
    const missing = neighbourChanges((step, commands) => firewall.run(step, commands), this.#names, wanted);
    const isOpen = missing.length === 0;
    this.#seen = { generation, outward: key, isOpen };
    return isOpen;
  }
}
