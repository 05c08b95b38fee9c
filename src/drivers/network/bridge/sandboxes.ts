import { closeSync } from 'node:fs';
import { changeLink } from '../../../ffi/network/links.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../ffi/network/netlink.ts';
import { createNetns, inNetns } from '../../../ffi/process/namespaces.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Sandbox } from '../../contract/network.ts';
import { openInternetSocket } from './forwarders/host-sockets.ts';
import { checkContainerId, isContainerId } from './names.ts';
import { SandboxAddresses } from './sandbox-addresses.ts';
import { SandboxRoutes } from './sandbox-routes.ts';
import { writeSetting } from './sysctl.ts';

/** A netlink socket of the namespace this thread is in, for the time of one call. */
export function withRouteSocket<T>(use: (socket: NetlinkSocket) => T): T {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  try {
    return use(socket);
  } finally {
    socket.close();
  }
}

/** What every user of a container may do in its own network, as with Docker: listen on ports below 1024, and ping. */
function openToEveryUser(): void {
  writeSetting('ipv4/ip_unprivileged_port_start', '0');
  writeSetting('ipv4/ping_group_range', '0 2147483647');
}

/** The network namespaces of our containers, each held by a descriptor. */
export class Sandboxes {
  readonly #held = new Map<string, Sandbox>();
  readonly #addresses = new SandboxAddresses();
  readonly #routes = new SandboxRoutes((number) => this.#addresses.containerOf(number));
  #version = 0;

  get(containerId: string): Sandbox | null {
    return this.#held.get(containerId) ?? null;
  }

  create(containerId: string): Sandbox {
    checkContainerId(containerId);
    const held = this.#held.get(containerId);
    if (held !== undefined) return held;
    return this.#hold(
      containerId,
      createNetns(() => {
        openToEveryUser();
        withRouteSocket((socket) => socket.request([changeLink('lo', { up: true })]));
      }),
    );
  }

  /** As {@link NetworkDriver.adoptSandbox}. */
  adopt(containerId: string, netnsFd: number): Sandbox {
    const held = this.#held.get(containerId);
    if (held !== undefined || !isContainerId(containerId)) closeSync(netnsFd);
    checkContainerId(containerId);
    return held ?? this.#hold(containerId, netnsFd);
  }

  openSocket(containerId: string, protocol: 'tcp' | 'udp', family: 'ipv4' | 'ipv6'): number {
    const held = this.#held.get(containerId);
    if (held !== undefined) return inNetns(held.netnsFd, () => openInternetSocket(protocol, family));
    throw new TsdError('TSD_NETWORK', `container ${containerId.slice(0, 12)} has no network namespace`, {
      class: 'not-found',
      step: 'open a socket',
    });
  }

  /** Looks into the namespaces; what was seen is kept until the next look. Returns the containers of which it is another. */
  look(): ReadonlySet<string> {
    return new Set([...this.#addresses.look(this.#held), ...this.#routes.look(this.#held)]);
  }

  /** Another number when other namespaces are held. */
  get version(): number {
    return this.#version;
  }

  /** IPv4 addresses with prefix length; null of a container whose namespace is not held. */
  addresses(containerId: string): readonly string[] | null {
    return this.#addresses.of(containerId);
  }

  /** Destinations of routes; null where they are not known. */
  routes(containerId: string): ReadonlySet<string> | null {
    return this.#routes.of(containerId);
  }

  /** @param destinations of the routes it is to have */
  routesWanted(containerId: string, destinations: readonly string[]): void {
    this.#routes.want(containerId, destinations);
  }

  /**
   * @param destinations all there are, with an interface that was made just now. Null where it was there: some routes may
   * have been, and be seen as missing still.
   */
  routesMade(containerId: string, destinations: readonly string[] | null): void {
    if (destinations === null) this.#routes.changed(containerId);
    else this.#routes.made(containerId, destinations);
  }

  release(containerId: string): void {
    const held = this.#held.get(containerId);
    if (held === undefined) return;
    this.#held.delete(containerId);
    this.#version++;
    this.#addresses.forget(containerId);
    this.#routes.forget(containerId);
    closeSync(held.netnsFd);
  }

  releaseAll(): void {
    for (const containerId of [...this.#held.keys()]) this.release(containerId);
    this.#addresses.close();
    this.#routes.close();
  }

  #hold(containerId: string, netnsFd: number): Sandbox {
    const sandbox = { containerId, netnsFd };
    this.#held.set(containerId, sandbox);
    this.#routes.hold(containerId);
    this.#version++;
    return sandbox;
  }
}
