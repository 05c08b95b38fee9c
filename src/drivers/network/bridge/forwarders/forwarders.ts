import { constants } from 'node:os';
import { sysError } from '../../../../ffi/call/errno.ts';
import { portHolder } from '../../../../ffi/network/port-holder.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import { type Listener, listenerKey } from '../publication.ts';
import { forwardTcp, type Route, TCP_WAITS, type TcpWaits } from './forward-tcp.ts';
import { forwardUdp } from './forward-udp.ts';
import { type BoundAddress, bindSocket } from './host-sockets.ts';
import { descriptorBudget, OpenFlows } from './open-flows.ts';

interface Running {
  readonly listener: Listener;
  readonly route: Route;
  close(): void;
}

/** Listeners of this process that pass connections and datagrams on to containers. */
export class Forwarders {
  readonly #running = new Map<string, Map<string, Running>>();
  readonly #flows: OpenFlows;
  readonly #waits: TcpWaits;
  #version = 0;

  constructor({ budget = descriptorBudget(), waits = TCP_WAITS } = {}) {
    this.#flows = new OpenFlows(budget);
    this.#waits = waits;
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
    const before = this.#running.get(owner) ?? new Map<string, Running>();
    const wanted = new Map(listeners.map((listener) => [listenerKey(listener), listener]));
    const after = new Map<string, Running>();
    const started: Running[] = [];
    const ended: Listener[] = [];
    try {
      for (const [key, running] of before) {
        if (sameTarget(running.listener, wanted.get(key))) after.set(key, running);
        else {
          running.close();
          ended.push(running.listener);
        }
      }
      for (const [key, listener] of wanted) {
        if (after.has(key)) continue;
        const running = this.#start(listener);
        started.push(running);
        after.set(key, running);
      }
    } catch (error) {
      for (const running of started) running.close();
      for (const listener of ended) before.set(listenerKey(listener), this.#start(listener));
      throw error;
    }
    if (after.size === 0) this.#running.delete(owner);
    else this.#running.set(owner, after);
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
    return [...(this.#running.get(owner)?.values() ?? [])].map(({ listener }) => listener);
  }

  close(): void {
    for (const listeners of this.#running.values()) for (const running of listeners.values()) running.close();
    this.#running.clear();
  }

  /** Moves the listeners that these describe, as they run, and points them to their new targets. */
  #give(from: string, to: string, listeners: readonly Listener[]): void {
    this.#version++;
    const given = this.#running.get(from) ?? new Map<string, Running>();
    const taken = this.#running.get(to) ?? new Map<string, Running>();
    for (const listener of listeners) {
      const key = listenerKey(listener);
      const running = given.get(key);
      if (running === undefined) continue;
      running.route.target = listener.target;
      given.delete(key);
      taken.set(key, { ...running, listener });
    }
    if (taken.size > 0) this.#running.set(to, taken);
  }

  #start(listener: Listener): Running {
    const fd = bindSocket(listener);
    if (fd < 0) throw bindError(listener, -fd);
    const route: Route = { target: listener.target };
    const options = { flows: this.#flows, waits: this.#waits, onEnd: () => this.#forget(route) };
    const close =
      listener.protocol === 'tcp' ? forwardTcp(fd, route, options) : forwardUdp(fd, listener, route, options);
    return { listener, route, close };
  }

  /** Forgets a listener that ended by itself, so that the next observation reports it as missing. */
  #forget(route: Route): void {
    this.#version++;
    for (const listeners of this.#running.values()) {
      for (const [key, running] of listeners) {
        if (running.route !== route) continue;
        listeners.delete(key);
        running.close();
      }
    }
  }
}

function sameTarget(a: Listener, b: Listener | undefined): boolean {
  return b !== undefined && a.target.address === b.target.address && a.target.port === b.target.port;
}

/** Names the holder of a port that bind(2) refused. */
export function bindError(listener: BoundAddress, errno: number): TsdError {
  const { address, port, protocol } = listener;
  const where = `${address.includes(':') ? `[${address}]` : address}:${port}/${protocol}`;
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
