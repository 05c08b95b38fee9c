import { allocateAddress, allocatePort, containsNetwork } from '../../model/addresses.ts';
import type { Protocol } from '../../model/kinds/short-forms.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { LeaseStore } from '../../state/history/lease-store.ts';

export interface AddressRequest {
  readonly network: string;
  readonly owner: ResourceKey;
  readonly subnet: string;
  readonly gateway: string;
  /** Part of the subnet to take from, or null for all of it. */
  readonly fixedCidr: string | null;
  /** Address the manifest asks for, or null for any. */
  readonly requested: string | null;
}

export interface PortRequest {
  readonly owner: ResourceKey;
  readonly hostIp: string;
  readonly containerPort: number;
  readonly protocol: Protocol;
}

/** Chooses addresses and automatic host ports; what is taken is kept in memory beside the store. */
export class LeaseBook {
  readonly #store: LeaseStore;
  /** Addresses by network, with their holder. */
  readonly #taken = new Map<string, Map<string, string>>();
  readonly #ports = new Map<Protocol, Set<number>>();
  #lastPort: number | null = null;

  constructor(store: LeaseStore) {
    this.#store = store;
    for (const { network, address, container } of store.addresses()) this.#takenIn(network).set(address, container);
    for (const { protocol, hostPort } of store.ports()) this.#portsOf(protocol).add(hostPort);
  }

  /** The container's address in a network, the same for as long as it holds the lease; null when none is free. */
  address(request: AddressRequest): string | null {
    const { network, owner, subnet, requested } = request;
    const taken = this.#takenIn(network);
    const held = this.#store.address(network, owner);
    if (held !== null && (requested === null ? containsNetwork(subnet, `${held}/32`) : held === requested)) return held;
    if (held !== null) taken.delete(held);
    const free = requested === null ? this.#allocate(request, taken) : taken.has(requested) ? null : requested;
    if (free === null) return null;
    this.#store.leaseAddress({ network, container: owner, address: free });
    taken.set(free, owner);
    return free;
  }

  /** The host port picked for a container port, the same for as long as the lease is held; null when none is free. */
  port({ owner, hostIp, containerPort, protocol }: PortRequest): number | null {
    const held = this.#store
      .ports()
      .find(
        (lease) =>
          lease.container === owner &&
          lease.containerPort === containerPort &&
          lease.protocol === protocol &&
          lease.hostIp === hostIp,
      );
    if (held) return held.hostPort;
    const taken = this.#portsOf(protocol);
    const free = allocatePort(taken, this.#lastPort);
    if (free === null) return null;
    this.#store.leasePort({ container: owner, containerPort, protocol, hostIp, hostPort: free });
    this.#lastPort = free;
    taken.add(free);
    return free;
  }

  /** Gives up everything a container holds. */
  release(owner: string): void {
    for (const addresses of this.#taken.values()) {
      for (const [address, holder] of addresses) if (holder === owner) addresses.delete(address);
    }
    for (const lease of this.#store.ports())
      if (lease.container === owner) this.#portsOf(lease.protocol).delete(lease.hostPort);
    this.#store.releaseContainer(owner);
  }

  releaseNetwork(network: string): void {
    this.#taken.delete(network);
    this.#store.releaseNetwork(network);
  }

  /** Keys of everything that holds a lease. */
  owners(): ReadonlySet<string> {
    const holders = [...this.#taken.values()].flatMap((addresses) => [...addresses.values()]);
    return new Set([...holders, ...this.#store.ports().map(({ container }) => container)]);
  }

  #allocate(
    { subnet, gateway, fixedCidr, network }: AddressRequest,
    taken: ReadonlyMap<string, string>,
  ): string | null {
    return allocateAddress({ subnet, gateway, fixedCidr }, new Set(taken.keys()), this.#store.lastAddress(network));
  }

  #takenIn(network: string): Map<string, string> {
    const known = this.#taken.get(network);
    if (known) return known;
    const taken = new Map<string, string>();
    this.#taken.set(network, taken);
    return taken;
  }

  #portsOf(protocol: Protocol): Set<number> {
    const known = this.#ports.get(protocol);
    if (known) return known;
    const ports = new Set<number>();
    this.#ports.set(protocol, ports);
    return ports;
  }
}
