import type { PublishedPort } from '../../../contract/network.ts';
import type { WantedInside } from '../inside.ts';
import type { EndpointId } from '../names.ts';
import type { BridgeEndpoint } from './bridge-endpoint.ts';

export interface Attached {
  readonly config: BridgeEndpoint;
  /** True when the bridge of its network is foreign. */
  readonly foreign: boolean;
  /** Index of the host's end of its pair. */
  readonly link: number;
  readonly inside: WantedInside;
}

/** The endpoints that the driver attached or resumed. */
export class Attachments {
  readonly #byId = new Map<EndpointId, Attached>();
  /** By container, in the order in which they were attached. */
  readonly #byContainer = new Map<string, ReadonlySet<EndpointId>>();
  /** How many a network has, by its key. */
  readonly #counts = new Map<string, number>();
  /** By the index of the host's end of their pair: it is never used twice. */
  readonly #byLink = new Map<number, EndpointId>();
  /** Detached; the kernel may still be deleting the pair. Seen a second time, a foreign process keeps the namespace. */
  readonly #leaving = new Set<EndpointId>();
  #version = 0;

  /** Another number when anything was remembered or forgotten. */
  get version(): number {
    return this.#version;
  }

  ids(): Iterable<EndpointId> {
    return this.#byId.keys();
  }

  get(endpoint: EndpointId): Attached | undefined {
    return this.#byId.get(endpoint);
  }

  /** Those of a container. */
  of(containerId: string): Attached[] {
    return [...(this.#byContainer.get(containerId) ?? [])].flatMap((id) => this.#byId.get(id) ?? []);
  }

  /** That of a container on a network. */
  find(containerId: string, network: string): Attached | undefined {
    return this.of(containerId).find(({ config }) => config.network === network);
  }

  /** How many there are on a network. */
  countOn(network: string): number {
    return this.#counts.get(network) ?? 0;
  }

  /** The endpoint whose pair has this index on the host's side. */
  at(link: number): EndpointId | undefined {
    return this.#byLink.get(link);
  }

  remember(attached: Attached): void {
    this.#version++;
    const { id, containerId } = attached.config;
    this.#leaving.delete(id);
    const before = this.#byId.get(id);
    if (before) {
      this.#byLink.delete(before.link);
      this.#count(before.config.network, -1);
    }
    this.#byId.set(id, attached);
    this.#count(attached.config.network, 1);
    this.#byContainer.set(containerId, new Set([...(this.#byContainer.get(containerId) ?? []), id]));
    this.#byLink.set(attached.link, id);
  }

  /** Others of its ports are another endpoint's now. */
  setPorts(endpoint: EndpointId, ports: readonly PublishedPort[]): void {
    this.#version++;
    const before = this.#byId.get(endpoint);
    if (before) this.#byId.set(endpoint, { ...before, config: { ...before.config, ports } });
  }

  forget(endpoint: EndpointId): void {
    this.#version++;
    const before = this.#byId.get(endpoint);
    if (before === undefined) return;
    const { containerId } = before.config;
    this.#byLink.delete(before.link);
    this.#byId.delete(endpoint);
    this.#count(before.config.network, -1);
    const others = [...(this.#byContainer.get(containerId) ?? [])].filter((id) => id !== endpoint);
    if (others.length > 0) this.#byContainer.set(containerId, new Set(others));
    else this.#byContainer.delete(containerId);
  }

  #count(network: string, more: number): void {
    const count = this.countOn(network) + more;
    if (count > 0) this.#counts.set(network, count);
    else this.#counts.delete(network);
  }

  leave(endpoint: EndpointId): void {
    this.#version++;
    this.#leaving.add(endpoint);
  }

  isLeaving(endpoint: EndpointId): boolean {
    return this.#leaving.has(endpoint);
  }

  /** Those that were leaving have been looked at; who is seen again is there. */
  lookedAt(): void {
    if (this.#leaving.size > 0) this.#version++;
    this.#leaving.clear();
  }
}
