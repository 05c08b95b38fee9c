/** The rules of this driver: opened when they are first needed, with what the kernel still has of an earlier supervisor. */
import { TsdError } from '../../../model/errors/errors.ts';
import { Firewall } from './firewall/firewall.ts';
import { Moves } from './firewall/moves.ts';
import { isComplete, type ReadTable, withoutPorts } from './firewall/read-table.ts';
import type { Names } from './names.ts';

export interface RulesOptions {
  readonly names: Names;
  /** False: no packet filter is touched (--iptables=false). */
  readonly isOn: boolean;
  /** Called once, with what was taken over. */
  readonly opened: (wanted: Firewall['wanted']) => void;
}

export class Rules {
  readonly #options: RulesOptions;
  #opened: Firewall | null = null;
  #moves: Moves | null = null;

  constructor(options: RulesOptions) {
    this.#options = options;
  }

  /** Null when rules are switched off. The first call takes over what the kernel still has of an earlier supervisor. */
  open(): Firewall | null {
    if (!this.#options.isOn) return null;
    if (this.#opened === null) {
      this.#opened = new Firewall(this.#options.names);
      this.#options.opened(this.#opened.wanted);
    }
    return this.#opened;
  }

  /**
   * For looking and for taking away.
   * @param needed whether there may be rules of ours for it. Without, a host without libnftables has nothing to do: null.
   */
  openFor(needed: boolean): Firewall | null {
    try {
      return this.open();
    } catch (error) {
      if (!needed && error instanceof TsdError && error.code === 'TSD_UNSUPPORTED_HOST') return null;
      throw error;
    }
  }

  /** Those of addresses that go from one container to another. */
  movesOf(firewall: Firewall | null): Moves | null {
    if (firewall === null) return null;
    this.#moves ??= new Moves(this.#options.names, (step, commands) => firewall.run(step, commands));
    return this.#moves;
  }

  /** Whether all is there but ports. @param needed there are networks, which need rules */
  areWhole(firewall: Firewall | null, table: ReadTable | null, needed: boolean): boolean {
    if (firewall === null) return !this.#options.isOn || !needed;
    return firewall.wanted.size === 0 || isComplete(table, withoutPorts(firewall.wanted));
  }

  close(): void {
    this.#opened?.close();
    this.#opened = null;
  }
}
