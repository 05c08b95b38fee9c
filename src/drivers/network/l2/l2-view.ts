/** Networks and endpoints as the kernel has them; the same objects while nothing changed. */
import type { EndpointConfig, ObservedEndpoint, ObservedNetworks, Sandbox } from '../../contract/network.ts';
import { insideDrift, type L2Inside, linkOf } from './l2-inside.ts';
import type { L2Kind } from './l2-kind.ts';
import type { SeenParent } from './parents.ts';
import { SandboxLooks } from './sandbox-looks.ts';

export interface AttachedEndpoint {
  readonly config: EndpointConfig;
  readonly sandbox: Sandbox;
  readonly inside: L2Inside;
}

export class L2View {
  readonly #kind: L2Kind;
  readonly #attached = new Map<string, Map<string, AttachedEndpoint>>();
  readonly #looks = new SandboxLooks();
  #last: { readonly parents: string; readonly observed: ObservedNetworks } | null = null;

  constructor(kind: L2Kind) {
    this.#kind = kind;
  }

  endpoint(containerId: string, network: string): AttachedEndpoint | null {
    return this.#attached.get(containerId)?.get(network) ?? null;
  }

  networksOf(containerId: string): readonly string[] {
    return [...(this.#attached.get(containerId)?.keys() ?? [])];
  }

  remember(endpoint: AttachedEndpoint): void {
    const { containerId, network } = endpoint.config;
    const endpoints = this.#attached.get(containerId) ?? new Map<string, AttachedEndpoint>();
    this.#attached.set(containerId, endpoints.set(network, endpoint));
    this.#changed(containerId);
  }

  drop(containerId: string, network: string): void {
    const endpoints = this.#attached.get(containerId);
    endpoints?.delete(network);
    if (endpoints?.size === 0) this.#drop(containerId);
    else this.#changed(containerId);
  }

  /** The networks are others. */
  forget(): void {
    this.#last = null;
  }

  /** @param seen the parents of networks, and what is left of ours */
  look(seen: readonly SeenParent[]): ObservedNetworks {
    const held = [...this.#attached.values()].flatMap((own) =>
      [...own.values()].slice(0, 1).map(({ sandbox }) => sandbox),
    );
    const changed = this.#looks.look(held);
    const parents = JSON.stringify(seen);
    if (changed.size === 0 && this.#last?.parents === parents) return this.#last.observed;
    const networks = new Map(
      seen.map(({ key, parent, found, up }) => [key, { found, drift: up ? [] : [`parent ${parent}`] }]),
    );
    const endpoints = new Map(
      [...this.#attached].map(([containerId, own]) => [containerId, [...own.values()].map((one) => this.#shown(one))]),
    );
    this.#last = { parents, observed: { networks, endpoints } };
    return this.#last.observed;
  }

  /** Interfaces stay, also when their sandboxes are released next. */
  close(): void {
    this.#attached.clear();
    this.#looks.close();
  }

  #shown({ config: { containerId, network }, inside }: AttachedEndpoint): ObservedEndpoint {
    const seen = this.#looks.of(containerId);
    const connected = seen !== null && linkOf(seen, this.#kind, inside) !== null;
    const drift = seen === null ? ['interface missing'] : insideDrift(seen, this.#kind, inside);
    return { containerId, network, connected, drift, ports: [] };
  }

  /** What was seen of it says nothing any more. */
  #changed(containerId: string): void {
    this.#looks.forget(containerId);
    this.#last = null;
  }

  #drop(containerId: string): void {
    if (this.#attached.delete(containerId)) this.#changed(containerId);
  }
}
