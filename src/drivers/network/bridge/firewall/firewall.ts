import { constants } from 'node:os';
import { Nftables } from '../../../../ffi/network/nftables.ts';
import { RulesetGeneration } from '../../../../ffi/network/ruleset-generation.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import { append } from '../../../../model/lists.ts';
import type { Names } from '../names.ts';
import { portOfElement } from '../publication.ts';
import { withAnySource } from './elements.ts';
import type { Family } from './layout.ts';
import { isComplete, parseTable, type ReadTable, withoutPorts } from './read-table.ts';
import {
  addElements,
  deleteElements,
  EARLIER_FAMILY,
  type Element,
  identityOf,
  isFence,
  isPort,
  type Owner,
  removedTable,
  wholeTable,
} from './ruleset.ts';
import { publishesUdp, StaleFlows } from './stale-flows.ts';

/** The kernel says that the table is not what we remember: an element or all of it is gone, or changed by hand. */
const DRIFT: readonly (number | undefined)[] = [constants.errno.ENOENT, constants.errno.EEXIST];

/**
 * Our nftables table. What should be in it is held here, first read from the kernel, so that a supervisor that starts
 * again keeps the rules of containers that kept running without it. Each change is one transaction.
 */
export class Firewall {
  readonly #names: Names;
  readonly #nft: Nftables;
  #wanted: Map<Owner, readonly Element[]> | null = null;
  #flows: StaleFlows | null = null;
  /** Whether the table of the bridge family is there; not known before the first look. */
  #fenced: boolean | null = null;
  /** Whether the table in the kernel was written by an earlier version in another family. */
  #earlier = false;
  #tookOverEarlier = false;
  readonly #generation: RulesetGeneration;
  #seen: { readonly generation: number; readonly table: ReadTable | null } | null = null;

  /** @throws TsdError TSD_UNSUPPORTED_HOST without libnftables. */
  constructor(names: Names) {
    this.#names = names;
    this.#nft = new Nftables();
    try {
      this.#generation = new RulesetGeneration();
    } catch (error) {
      this.#nft.close();
      throw error;
    }
  }

  /** The tables as they are in the kernel; null when there is none. */
  read(): ReadTable | null {
    const generation = this.#generation.read();
    if (this.#seen?.generation === generation) return this.#seen.table;
    const table = this.#reread();
    this.#seen = { generation, table };
    return table;
  }

  #reread(): ReadTable | null {
    const current = this.#list('inet');
    const text = current ?? this.#list(EARLIER_FAMILY);
    this.#earlier = current === null && text !== null;
    const fence = this.#fenced === false ? null : this.#list('bridge');
    this.#fenced = fence !== null;
    return text === null ? null : parseTable(this.#names, text, fence);
  }

  #list(family: Family | typeof EARLIER_FAMILY): string | null {
    try {
      return this.#nft.run('list our rules', `list table ${family} ${this.#names.table}`);
    } catch (error) {
      if (error instanceof TsdError && error.errno === constants.errno.ENOENT) return null;
      throw error;
    }
  }

  /** All elements that should be there, by owner. */
  get wanted(): ReadonlyMap<Owner, readonly Element[]> {
    return this.#state();
  }

  /** Whether containers ran by the rules of an earlier version when this process came. */
  get tookOverEarlier(): boolean {
    this.#state();
    return this.#tookOverEarlier;
  }

  /** True when an owner should have just these elements already. */
  holds(owner: Owner, elements: readonly Element[]): boolean {
    const held = new Set((this.#state().get(owner) ?? []).map(identityOf));
    return held.size === elements.length && elements.every((element) => held.has(identityOf(element)));
  }

  /** Gives an owner these elements and no others; those already there are left alone, missing ones come back. */
  set(owner: Owner, elements: readonly Element[]): void {
    this.setAll(new Map([[owner, elements]]));
  }

  /** As {@link set} for several owners, in one transaction: what one gives up another may take. */
  setAll(changes: ReadonlyMap<Owner, readonly Element[]>): void {
    const state = this.#state();
    const before = new Map([...changes.keys()].map((owner) => [owner, state.get(owner) ?? []] as const));
    const added: string[] = [];
    const removed: string[] = [];
    for (const [owner, elements] of changes) {
      const keep = new Set(elements.map(identityOf));
      const stale = (before.get(owner) ?? []).filter((element) => !keep.has(identityOf(element)));
      append(removed, deleteElements(this.#names, this.#withoutOthers(stale, changes)));
      append(added, addElements(this.#names, owner, elements));
    }
    const commands = [...removed, ...added];
    if (commands.length === 0) return;
    const udp = [...before.values(), ...changes.values()].flat().filter(publishesUdp);
    // Opened before anything changes: a host where it fails gets an error and no partial change.
    const flows = udp.length > 0 ? this.#staleFlows() : null;
    const remember = (all: ReadonlyMap<Owner, readonly Element[]>): void => {
      for (const [owner, elements] of all) {
        if (elements.length === 0) state.delete(owner);
        else state.set(owner, elements);
      }
    };
    remember(changes);
    try {
      this.#change(commands);
    } catch (error) {
      remember(before);
      throw error;
    }
    flows?.end([...before.values()].flat().filter(publishesUdp), this.#publishing(udp));
  }

  /** Those that no other owner should have: a port may be two owners' after a supervisor was killed while it moved. */
  #withoutOthers(stale: readonly Element[], changes: ReadonlyMap<Owner, readonly Element[]>): readonly Element[] {
    if (!stale.some(isPort)) return stale;
    const kept = [...this.#state()].filter(([owner]) => !changes.has(owner)).flatMap(([, elements]) => elements);
    const others = new Set(kept.filter(isPort).map(identityOf));
    return stale.filter((element) => !others.has(identityOf(element)));
  }

  /** Writes the table again when a chain, rule or element is missing or changed; a missing port is its endpoint's affair. */
  repair(): void {
    const state = this.#state();
    if (isComplete(this.read(), withoutPorts(state))) return;
    this.#write(state);
    const udp = [...state.values()].flat().filter(publishesUdp);
    if (udp.length > 0) this.#staleFlows().end([], udp);
  }

  /** Removes the whole table. */
  removeAll(): void {
    this.read();
    this.#wanted = new Map();
    const commands = removedTable(this.#names, 'inet');
    if (this.#earlier) append(commands, removedTable(this.#names, EARLIER_FAMILY));
    if (this.#fenced !== false) append(commands, removedTable(this.#names, 'bridge'));
    this.#nft.run('remove our rules', commands.join('\n'));
    this.#fenced = false;
    this.#earlier = false;
  }

  /** Another number after every change of any table, by whomever. */
  get generation(): number {
    return this.#generation.read();
  }

  /** Runs commands on tables of others; see firewall-neighbours.ts. */
  run(step: string, commands: string): string {
    return this.#nft.run(step, commands);
  }

  close(): void {
    this.#nft.close();
    this.#generation.close();
    this.#flows?.close();
    this.#flows = null;
  }

  #state(): Map<Owner, readonly Element[]> {
    if (this.#wanted === null) {
      const found = this.read();
      this.#tookOverEarlier = found?.earlier === true;
      this.#wanted = new Map(found?.earlier ? withAnySource(found.owned) : found?.owned);
    }
    return this.#wanted;
  }

  #staleFlows(): StaleFlows {
    this.#flows ??= new StaleFlows();
    return this.#flows;
  }

  /** Elements of all owners that publish the UDP ports of these. */
  #publishing(elements: readonly Element[]): Element[] {
    const ports = new Set(elements.map((element) => portOfElement(element)?.hostPort));
    const all = [...this.#state().values()].flat();
    return all.filter((element) => publishesUdp(element) && ports.has(portOfElement(element)?.hostPort));
  }

  #write(state: ReadonlyMap<Owner, readonly Element[]>): void {
    const present = { fence: this.#fenced !== false, earlier: this.#earlier };
    this.#nft.run('write our rules', wholeTable(this.#names, state, present));
    this.#fenced = [...state.values()].flat().some(isFence);
    this.#earlier = false;
  }

  #change(commands: readonly string[]): void {
    try {
      this.#nft.run('change our rules', commands.join('\n'));
    } catch (error) {
      if (!(error instanceof TsdError) || !DRIFT.includes(error.errno)) throw error;
      this.#write(this.#state());
    }
  }
}
