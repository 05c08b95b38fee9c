import { constants } from 'node:os';
import { sysError } from '../../../../ffi/call/errno.ts';
import { portHolder } from '../../../../ffi/network/port-holder.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import { beforePort } from '../../../../model/networks/host-addresses.ts';
import type { BoundAddress } from '../../bound-socket.ts';
import { relayKey } from '../../relay-key.ts';
import type { RelaySockets } from '../../relay-sockets.ts';
import type { Listener } from '../publication.ts';

/** Which container has which listeners; they pass connections and datagrams on to it. */
export class Forwarders {
  readonly #running = new Map<string, Map<string, Listener>>();
  readonly #relays: RelaySockets;
  #version = 0;

  constructor(relays: RelaySockets) {
    this.#relays = relays;
  }

  /** Another number when {@link listenersOf} may have another answer. */
  get version(): number {
    return this.#version;
  }

  /**
   * Makes the listeners of an owner be these and no others. Listeners that stay keep their connections.
   * @throws TsdError TSD_PORT_IN_USE; the owner's listeners are then as before.
   */
  set(owner: string, listeners: readonly Listener[]): void {
    this.#version++;
    const before = this.#running.get(owner) ?? new Map<string, Listener>();
    const wanted = new Map(listeners.map((listener) => [relayKey(listener), listener]));
    const started: Listener[] = [];
    // Those that go make room first: one may have an address that includes that of another.
    const ended = [...before].flatMap(([key, listener]) => (wanted.has(key) ? [] : [listener]));
    try {
      for (const listener of ended) this.#relays.close(listener);
      for (const [key, listener] of wanted) {
        if (before.has(key)) continue;
        this.#start(listener);
        started.push(listener);
      }
    } catch (error) {
      for (const listener of started) this.#relays.close(listener);
      for (const listener of ended) this.#start(listener);
      throw error;
    }
    for (const [key, listener] of wanted) {
      const last = before.get(key);
      if (last !== undefined && !sameTarget(last, listener)) this.#relays.move(listener);
    }
    if (wanted.size === 0) this.#running.delete(owner);
    else this.#running.set(owner, wanted);
  }

  /**
   * As {@link set} for `to`, which takes over the listeners of owners that it wants without closing them: connections that
   * are open keep their target, new ones go to the new target. Other listeners of these owners end.
   * @throws TsdError TSD_PORT_IN_USE; the listeners of all are then as before.
   */
  handOver(from: readonly string[], to: string, listeners: readonly Listener[]): void {
    const held = from.map((owner) => ({ owner, listeners: this.listenersOf(owner) }));
    const had = this.listenersOf(to);
    for (const owner of from) this.#give(owner, to, listeners);
    try {
      for (const owner of from) this.set(owner, []);
      this.set(to, listeners);
    } catch (error) {
      for (const before of held) this.#give(to, before.owner, before.listeners);
      this.set(to, had);
      for (const before of held) this.set(before.owner, before.listeners);
      throw error;
    }
  }

  listenersOf(owner: string): Listener[] {
    return [...(this.#running.get(owner)?.values() ?? [])];
  }

  /** Ends all. */
  clear(): void {
    for (const owner of [...this.#running.keys()]) this.set(owner, []);
  }

  /** Moves the listeners that these describe, as they run, and points them to their new targets. */
  #give(from: string, to: string, listeners: readonly Listener[]): void {
    this.#version++;
    const given = this.#running.get(from) ?? new Map<string, Listener>();
    const taken = this.#running.get(to) ?? new Map<string, Listener>();
    for (const listener of listeners) {
      const key = relayKey(listener);
      if (!given.delete(key)) continue;
      this.#relays.move(listener);
      taken.set(key, listener);
    }
    if (taken.size > 0) this.#running.set(to, taken);
  }

  #start(listener: Listener): void {
    const errno = this.#relays.open(listener, () => this.#forget(relayKey(listener)));
    if (errno !== 0) throw bindError(listener, errno);
  }

  /** Forgets a listener that ended by itself, so that the next observation reports it as missing. */
  #forget(key: string): void {
    this.#version++;
    for (const listeners of this.#running.values()) listeners.delete(key);
  }
}

function sameTarget({ target: a }: Listener, { target: b }: Listener): boolean {
  return a.address === b.address && a.port === b.port;
}

/** Names the holder of a port that bind(2) refused. */
export function bindError(listener: BoundAddress, errno: number): TsdError {
  const { address, port, protocol } = listener;
  const where = `${beforePort(address)}:${port}/${protocol}`;
  const step = `bind ${where}`;
  if (errno === constants.errno.EADDRINUSE) {
    const holder = (protocol === 'sctp' ? null : portHolder(port, protocol)) ?? 'another program';
    return new TsdError('TSD_PORT_IN_USE', `host port ${where} is in use by ${holder}`, { step, errno });
  }
  if (errno === constants.errno.EADDRNOTAVAIL) {
    const message = `no interface of this host has the address ${address}`;
    return new TsdError('TSD_NETWORK', message, { step, errno, class: 'precondition' });
  }
  return sysError('bind', errno, step);
}
