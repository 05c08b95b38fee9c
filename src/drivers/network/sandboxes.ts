import { closeSync } from 'node:fs';
import { changeLink } from '../../ffi/network/links.ts';
import { createNetns, inNetns } from '../../ffi/process/namespaces.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { NameSockets, Sandbox, UnboundSocket } from '../contract/network.ts';
import { checkContainerId, isContainerId } from './container-id.ts';
import { openInternetSocket } from './internet-socket.ts';
import { NameSocketOpener } from './name-sockets.ts';
import { withRouteSocket } from './route-socket.ts';
import { writeSetting } from './sysctl.ts';

/** What every user of a container may do in its own network, as with Docker: listen on ports below 1024, and ping. */
function openToEveryUser(): void {
  writeSetting('ipv4/ip_unprivileged_port_start', '0');
  writeSetting('ipv4/ping_group_range', '0 2147483647');
}

/** A driver that watches the namespaces. */
export interface SandboxWatcher {
  held(containerId: string): void;
  released(containerId: string): void;
}

/** The network namespaces of our containers, each held by a descriptor. All drivers share them. */
export class Sandboxes {
  readonly #held = new Map<string, Sandbox>();
  readonly #watchers: SandboxWatcher[] = [];
  readonly #names = new NameSocketOpener();
  #version = 0;

  get held(): ReadonlyMap<string, Sandbox> {
    return this.#held;
  }

  /** Another number when other namespaces are held. */
  get version(): number {
    return this.#version;
  }

  watch(watcher: SandboxWatcher): void {
    this.#watchers.push(watcher);
  }

  get(containerId: string): Sandbox | null {
    return this.#held.get(containerId) ?? null;
  }

  /** As {@link Networks.createSandbox}. */
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

  /** As {@link Networks.adoptSandbox}. */
  adopt(containerId: string, netnsFd: number): Sandbox {
    const held = this.#held.get(containerId);
    if (held !== undefined || !isContainerId(containerId)) closeSync(netnsFd);
    checkContainerId(containerId);
    return held ?? this.#hold(containerId, netnsFd);
  }

  openSocket(containerId: string, protocol: 'tcp' | 'udp', family: 'ipv4' | 'ipv6'): number {
    return inNetns(this.#required(containerId).netnsFd, () => openInternetSocket(protocol, family));
  }

  /** As {@link Networks.openSockets}. */
  openSockets(containerId: string, wanted: readonly UnboundSocket[]): readonly number[] {
    return inNetns(this.#required(containerId).netnsFd, () => {
      const opened: number[] = [];
      try {
        for (const { protocol, family } of wanted) opened.push(openInternetSocket(protocol, family));
        return opened;
      } catch (error) {
        for (const fd of opened) closeSync(fd);
        throw error;
      }
    });
  }

  openNameSockets(containerId: string): NameSockets {
    return this.#names.open(this.#required(containerId).netnsFd);
  }

  /** As {@link Networks.nameShortcoming}. */
  get nameShortcoming(): string | null {
    return this.#names.shortcoming;
  }

  release(containerId: string): void {
    const held = this.#held.get(containerId);
    if (held === undefined) return;
    this.#held.delete(containerId);
    this.#version++;
    for (const watcher of this.#watchers) watcher.released(containerId);
    closeSync(held.netnsFd);
  }

  releaseAll(): void {
    for (const containerId of [...this.#held.keys()]) this.release(containerId);
  }

  /** What drivers share. */
  close(): void {
    this.#names.close();
  }

  #required(containerId: string): Sandbox {
    const held = this.#held.get(containerId);
    if (held !== undefined) return held;
    throw new TsdError('TSD_NETWORK', `container ${containerId.slice(0, 12)} has no network namespace`, {
      class: 'not-found',
      step: 'open a socket',
    });
  }

  #hold(containerId: string, netnsFd: number): Sandbox {
    const sandbox = { containerId, netnsFd };
    this.#held.set(containerId, sandbox);
    this.#version++;
    for (const watcher of this.#watchers) watcher.held(containerId);
    return sandbox;
  }
}
