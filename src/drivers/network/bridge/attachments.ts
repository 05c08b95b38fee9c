import type { BridgeEndpoint } from './bridge-endpoint.ts';

export interface Attached {
  readonly config: BridgeEndpoint;
  /** True when the bridge of its network is foreign. */
  readonly foreign: boolean;
  /** Index of the host's end of its pair. */
  readonly link: number;
}

/** The endpoints that the driver attached or resumed. */
export class Attachments {
  readonly #byContainer = new Map<string, Attached>();
  /** Containers by the index of the host's end of their pair: it is never used twice. */
  readonly #byLink = new Map<number, string>();
  /** Detached; the kernel may still be deleting the pair. Seen a second time, a foreign process keeps the namespace. */
  readonly #leaving = new Set<string>();
  #version = 0;

  /** Another number when anything was remembered or forgotten. */
  get version(): number {
    return this.#version;
  }

  ids(): Iterable<string> {
    return this.#byContainer.keys();
  }

  get(containerId: string): Attached | undefined {
    return this.#byContainer.get(containerId);
  }

  /** The container whose pair has this index on the host's side. */
  at(link: number): string | undefined {
    return this.#byLink.get(link);
  }

  remember(attached: Attached): void {
    this.#version++;
    const { containerId } = attached.config;
    this.#leaving.delete(containerId);
    this.forget(containerId);
    this.#byContainer.set(containerId, attached);
    this.#byLink.set(attached.link, containerId);
  }

  /** Its ports are another one's now. */
  withoutPorts(containerId: string): void {
    this.#version++;
    const before = this.#byContainer.get(containerId);
    if (before) this.#byContainer.set(containerId, { ...before, config: { ...before.config, ports: [] } });
  }

  forget(containerId: string): void {
    this.#version++;
    const before = this.#byContainer.get(containerId);
    if (before) this.#byLink.delete(before.link);
    this.#byContainer.delete(containerId);
  }

  leave(containerId: string): void {
    this.#version++;
    this.#leaving.add(containerId);
  }

  isLeaving(containerId: string): boolean {
    return this.#leaving.has(containerId);
  }

  /** Those that were leaving have been looked at; who is seen again is there. */
  lookedAt(): void {
    if (this.#leaving.size > 0) this.#version++;
    this.#leaving.clear();
  }
}
