/** Binds the sockets of relays, and knows which of them the program has that relays. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { BoundRelay, PortRelays } from '../contract/relay.ts';
import { type BoundAddress, bindSocket } from './bound-socket.ts';
import { relayKey } from './relay-key.ts';

const { EADDRINUSE } = constants.errno;

interface Wanted {
  relay: BoundRelay;
  /** Null where the program has the socket, or will be given one. */
  fd: number | null;
  readonly onFailed: () => void;
}

export class RelaySockets implements PortRelays {
  readonly #wanted = new Map<string, Wanted>();
  /** Null until it is known what a program of an earlier supervisor has. */
  #held: Set<string> | null = null;
  /** False while no program runs: sockets would take connections that no one passes on. */
  #isOpen = true;
  #version = 0;
  #onChange = (): void => undefined;

  get wanted(): ReadonlyMap<string, BoundRelay> {
    return new Map([...this.#wanted].map(([key, { relay }]) => [key, relay]));
  }

  get version(): number {
    return this.#version;
  }

  onChange(changed: () => void): void {
    this.#onChange = changed;
  }

  open(relay: BoundRelay, onFailed: () => void): number {
    const key = relayKey(relay);
    if (this.#wanted.has(key)) return EADDRINUSE;
    const isHeld = this.#held?.has(key) === true;
    const fd = isHeld ? null : this.#bound(relay);
    if (fd !== null && fd < 0) return -fd;
    if (fd !== null && !this.#isOpen) closeSync(fd);
    this.#wanted.set(key, { relay, fd: this.#isOpen ? fd : null, onFailed });
    this.#changed();
    return 0;
  }

  /** It leads to another container from now on. */
  move(relay: BoundRelay): void {
    const wanted = this.#wanted.get(relayKey(relay));
    if (wanted === undefined) return;
    wanted.relay = relay;
    this.#changed();
  }

  close(relay: BoundRelay): void {
    this.#forget(relayKey(relay));
    this.#changed();
  }

  /** Whether bind(2) may fail because of a socket that is not wanted any more, and which the program has for a moment longer. */
  mayHold(bound: BoundAddress): boolean {
    if (this.#held === null) return true;
    return [...this.#held].some((key) => !this.#wanted.has(key) && overlaps(key, bound));
  }

  take(key: string): number | null {
    const wanted = this.#wanted.get(key);
    const fd = wanted?.fd ?? null;
    if (wanted === undefined || fd === null) return null;
    wanted.fd = null;
    this.#held?.add(key);
    return fd;
  }

  failed(key: string): void {
    this.#held?.delete(key);
    const wanted = this.#wanted.get(key);
    this.#forget(key);
    wanted?.onFailed();
  }

  held(keys: Iterable<string>): void {
    this.#held = new Set(keys);
    this.bind();
  }

  released(key: string): void {
    this.#held?.delete(key);
    // Another one may have waited for it: of this key, or of an address that includes it.
    this.bind();
  }

  lost(): void {
    this.#held = new Set();
    this.#isOpen = false;
    this.#closeBound();
  }

  bind(): void {
    this.#isOpen = true;
    for (const [key, wanted] of [...this.#wanted]) {
      if (wanted.fd !== null || this.#held?.has(key) === true) continue;
      const fd = this.#bound(wanted.relay);
      if (fd === null) continue;
      if (fd >= 0) wanted.fd = fd;
      else this.failed(key);
    }
    this.#changed();
  }

  /** What is bound here; what the program has stays open. */
  end(): void {
    this.#closeBound();
    this.#wanted.clear();
  }

  #changed(): void {
    this.#version++;
    this.#onChange();
  }

  #closeBound(): void {
    for (const wanted of this.#wanted.values()) {
      if (wanted.fd !== null) closeSync(wanted.fd);
      wanted.fd = null;
    }
  }

  #forget(key: string): void {
    const fd = this.#wanted.get(key)?.fd ?? null;
    if (fd !== null) closeSync(fd);
    this.#wanted.delete(key);
  }

  /** The descriptor, the negative errno, or null where the program has the place for a moment longer. */
  #bound(relay: BoundRelay): number | null {
    const fd = bindSocket(relay);
    return fd === -EADDRINUSE && this.mayHold(relay) ? null : fd;
  }
}

/** One address, or one of them every address of the family. */
function overlaps(key: string, { address, port, protocol }: BoundAddress): boolean {
  const [heldProtocol, held = '', heldPort] = key.split(' ');
  if (heldProtocol !== protocol || heldPort !== String(port)) return false;
  if (held === address) return true;
  return held.includes(':') === address.includes(':') && [held, address].some((each) => EVERY.includes(each));
}

const EVERY: readonly string[] = ['0.0.0.0', '::'];
