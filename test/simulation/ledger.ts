/** What clients of the Docker API were promised, over the deaths of supervisors. */
import type { ResourceKey } from '../../src/model/resource.ts';
import type { Disk } from './disk.ts';
import type { Universe } from './universe.ts';

export type Asked =
  | {
      readonly do: 'client-create';
      readonly name: string;
      readonly written: Readonly<Record<string, unknown>>;
      readonly autoRemove: boolean;
    }
  | { readonly do: 'client-remove'; readonly name: string; readonly force: boolean }
  | { readonly do: 'client-rename'; readonly name: string; readonly to: string };

interface Promised {
  /** What it may be known as: two while a rename has no answer. */
  keys: readonly ResourceKey[];
  mayGo: boolean;
  isGone: boolean;
}

export class Ledger {
  readonly #universe: Universe;
  readonly #disk: Disk;
  readonly #note: (text: string) => void;
  readonly #promised = new Map<string, Promised>();
  /** Ids of those that were asked to start. */
  readonly #asked = new Set<string>();

  constructor(universe: Universe, disk: Disk, note: (text: string) => void) {
    this.#universe = universe;
    this.#disk = disk;
    this.#note = note;
  }

  made(id: string, key: ResourceKey, autoRemove: boolean): void {
    this.#note(`${key} is made for a client`);
    // A rename or a removal may have come before the answer.
    if (!this.#promised.has(id)) this.#promised.set(id, { keys: [key], mayGo: autoRemove, isGone: false });
    else if (autoRemove) this.#of(id).mayGo = true;
    this.check();
  }

  mayGo(id: string): void {
    this.#of(id).mayGo = true;
  }

  gone(id: string): void {
    this.#of(id).isGone = true;
    this.check();
  }

  mayBe(id: string, keys: readonly ResourceKey[]): void {
    const promised = this.#of(id);
    promised.keys = [...new Set([...promised.keys, ...keys])];
  }

  is(id: string, key: ResourceKey): void {
    this.#of(id).keys = [key];
    this.#note(`a client gets the answer that it is ${key} now`);
    this.check();
  }

  startAsked(id: string): void {
    this.#asked.add(id);
  }

  refused(asked: Asked, message: string, isDefect: boolean): void {
    this.#note(`${asked.do} of ${asked.name} is refused: ${message}`);
    if (isDefect) this.#universe.breaks(`${asked.do} met a defect: ${message}`);
  }

  /** A payload begins. */
  started(id: string): void {
    const owner = this.#disk.containers.get(id)?.owner;
    if (owner?.request !== undefined && !this.#asked.has(id))
      this.#universe.breaks(`${owner.key} was started although no client asked for that`);
  }

  /** What was promised is on the disk, whatever happened since. */
  check(): void {
    for (const [id, { keys, mayGo, isGone }] of this.#promised) {
      const record = this.#disk.containers.get(id);
      if (record !== undefined && isGone) this.#universe.breaks(`${keys[0]} was removed for a client and is there`);
      if (record === undefined && !mayGo) this.#universe.breaks(`${keys[0]} was made for a client and is lost`);
      const key = record?.owner?.key;
      if (key !== undefined && !keys.includes(key)) this.#universe.breaks(`${keys.join(' or ')} is called ${key}`);
    }
  }

  #of(id: string): Promised {
    const known = this.#promised.get(id);
    if (known) return known;
    const key = this.#disk.containers.get(id)?.owner?.key;
    const promised = { keys: key === undefined ? [] : [key], mayGo: false, isGone: false };
    this.#promised.set(id, promised);
    return promised;
  }
}
