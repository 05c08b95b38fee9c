import { allocatePort, containsAddress, type Family, familyOf, type PortRange } from '../../../model/addresses.ts';
import type { Protocol } from '../../../model/kinds/short-forms.ts';
import { type HeldAddress, nextAddress } from '../../../model/networks/address-pools.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { AddressLease, LeaseStore, PortLease } from '../../../state/history/lease-store.ts';
import type { Changes, GroupCommit } from '../../group-commit.ts';

export interface AddressRequest {
  readonly network: string;
  readonly owner: ResourceKey;
  /** Its family is that of the address. */
  readonly subnet: string;
  readonly gateway: string | null;
  /** Part of the subnet to take from, or null for all of it. */
  readonly fixedCidr: string | null;
  /** Addresses and subnets that are never given out. Left out, none. */
  readonly closed?: readonly string[];
  /** Address the manifest asks for, or null for any. */
  readonly requested: string | null;
  /** Addresses that manifests ask for, whether they are up or not: none of them is picked. */
  readonly reserved: () => ReadonlySet<string>;
}

export interface PortRequest {
  readonly owner: ResourceKey;
  readonly hostIp: string;
  readonly containerPort: number;
  readonly protocol: Protocol;
}

/** Docker 1.4's number of attempts for a port that it picks itself. */
const PORT_ATTEMPTS = 10;

/** Addresses of one family on one network. */
class FamilyLeases {
  readonly taken = new Set<string>();
  readonly byOwner = new Map<string, string>();
  last: string | null;

  constructor(last: string | null) {
    this.last = last;
  }

  hold(owner: string, address: string): void {
    this.release(owner);
    this.taken.add(address);
    this.byOwner.set(owner, address);
    this.last = address;
  }

  rename(from: string, to: string): void {
    const held = this.byOwner.get(from);
    if (held === undefined) return;
    this.byOwner.delete(from);
    this.byOwner.set(to, held);
  }

  release(owner: string): void {
    const held = this.byOwner.get(owner);
    if (held === undefined) return;
    this.byOwner.delete(owner);
    this.taken.delete(held);
  }
}

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

type NetworkLeases = Readonly<Record<Family, FamilyLeases>>;

const portKey = ({ owner, hostIp, containerPort, protocol }: PortRequest): string =>
  `${owner} ${hostIp} ${containerPort}/${protocol}`;

/** Containers and removed networks whose leases on disk may be others than those in memory. */
interface Unsaved {
  readonly owners: Set<string>;
  readonly goneNetworks: Set<string>;
}

const nothingUnsaved = (): Unsaved => ({ owners: new Set(), goneNetworks: new Set() });

/**
 * Chooses addresses and automatic host ports. Decided in memory at once; {@link save} writes what was decided since the
 * last time, so that many leases become one commit. What could not be written goes with the next save.
 */
export class LeaseBook {
  readonly #store: LeaseStore;
  readonly #commits: Pick<GroupCommit, 'commit'>;
  readonly #networks = new Map<string, NetworkLeases>();
  readonly #ports = new Map<string, PortLease>();
  readonly #hostPorts: () => PortRange;
  #lastPort: number | null = null;
  #unsaved = nothingUnsaved();

  /** @param hostPorts those that automatic ones are chosen from, as they are now */
  constructor(store: LeaseStore, commits: Pick<GroupCommit, 'commit'>, hostPorts: () => PortRange) {
    this.#store = store;
    this.#hostPorts = hostPorts;
    this.#commits = commits;
    for (const { network, address, container } of store.addresses()) {
      const leases = this.#leasesOf(network, familyOf(address));
      leases.taken.add(address);
      leases.byOwner.set(container, address);
    }
    for (const lease of store.ports()) {
      this.#ports.set(portKey({ ...lease, owner: lease.container as ResourceKey }), lease);
    }
  }

  /** The container's address in a network, the same for as long as it holds the lease; null when none is free. */
  address(request: AddressRequest): string | null {
    const { network, owner, subnet, requested } = request;
    const leases = this.#leasesOf(network, familyOf(subnet));
    const held = leases.byOwner.get(owner);
    if (held !== undefined) {
      const fits = requested === null ? containsAddress(subnet, held) : held === requested;
      if (fits) return held;
      leases.release(owner);
      this.#unsaved.owners.add(owner);
    }
    const free = requested === null ? this.#allocate(request, leases) : leases.taken.has(requested) ? null : requested;
    if (free === null) return null;
    leases.hold(owner, free);
    this.#unsaved.owners.add(owner);
    return free;
  }

  /**
   * The host port picked for a container port, the same for as long as the lease is held and the port is usable; null
   * when none was found.
   */
  port(request: PortRequest, usable: (hostPort: number) => boolean): number | null {
    const key = portKey(request);
    const held = this.#ports.get(key);
    if (held && usable(held.hostPort)) return held.hostPort;
    const { owner, containerPort, protocol } = request;
    const leases = [...this.#ports.values()].filter((lease) => lease.protocol === protocol);
    const taken = new Set(leases.map(({ hostPort }) => hostPort));
    // On another address, 0.0.0.0 and [::] for one, it has the same number.
    const twin = leases.find((lease) => lease.container === owner && lease.containerPort === containerPort);
    if (twin && usable(twin.hostPort)) return this.#leasePort(request, twin.hostPort);
    const range = this.#hostPorts();
    for (let attempt = 0; attempt < PORT_ATTEMPTS; attempt++) {
      const free = allocatePort(range, taken, this.#lastPort);
      if (free === null) return null;
      this.#lastPort = free;
      taken.add(free);
      if (usable(free)) return this.#leasePort(request, free);
    }
    return null;
  }

  #leasePort({ owner, hostIp, containerPort, protocol }: PortRequest, hostPort: number): number {
    const lease = { container: owner, containerPort, protocol, hostIp, hostPort };
    this.#ports.set(portKey({ ...lease, owner }), lease);
    this.#unsaved.owners.add(owner);
    return hostPort;
  }

  /** An address for what is no container, kept in memory only, until {@link takeBack}; null when none is free. */
  lend({ requested, ...pool }: Omit<AddressRequest, 'owner' | 'reserved'>): string | null {
    const leases = this.#leasesOf(pool.network, familyOf(pool.subnet));
    const isTaken = requested !== null && (leases.taken.has(requested) || requested === pool.gateway);
    const { subnet, gateway, fixedCidr: range } = pool;
    const any = () => nextAddress({ subnet, gateway, range, reserved: [] }, leases.taken, leases.last);
    const free = requested === null ? any() : isTaken ? null : requested;
    if (free === null) return null;
    leases.taken.add(free);
    leases.last = free;
    return free;
  }

  takeBack(network: string, address: string): void {
    this.#leasesOf(network, familyOf(address)).taken.delete(address);
  }

  /** Makes what was decided since the last call durable, in one commit with these changes. */
  async save(others: Omit<Changes, 'history'> = {}): Promise<void> {
    const unsaved = this.#unsaved;
    this.#unsaved = nothingUnsaved();
    try {
      await this.#commits.commit({ ...others, history: () => this.#write(unsaved) });
    } catch (error) {
      for (const owner of unsaved.owners) this.#unsaved.owners.add(owner);
      for (const network of unsaved.goneNetworks) this.#unsaved.goneNetworks.add(network);
      throw error;
    }
  }

  /** Lets these owners have just these addresses of a network, which were theirs in another order; see {@link save}. */
  reassign(network: string, holders: readonly (readonly [owner: ResourceKey, address: string])[]): void {
    for (const family of FAMILIES) {
      const own = holders.filter(([, address]) => familyOf(address) === family);
      this.#reassign(this.#leasesOf(network, family), own);
    }
  }

  #reassign(leases: FamilyLeases, holders: readonly (readonly [owner: ResourceKey, address: string])[]): void {
    const { last } = leases;
    const moved = new Set(holders.map(([, address]) => address));
    for (const [owner, address] of [...leases.byOwner]) {
      if (!moved.has(address)) continue;
      leases.release(owner);
      this.#unsaved.owners.add(owner);
    }
    for (const [owner, address] of holders) {
      leases.hold(owner, address);
      this.#unsaved.owners.add(owner);
    }
    leases.last = last;
  }

  /** Who holds the addresses of a family of a network. */
  holders(network: string, family: Family): readonly HeldAddress[] {
    return [...this.#leasesOf(network, family).byOwner].map(([by, address]) => ({ by, address }));
  }

  /** Returns the container that holds an address of a network; null when it is free. */
  holderOf(network: string, address: string): string | null {
    const { byOwner, taken } = this.#leasesOf(network, familyOf(address));
    if (!taken.has(address)) return null;
    for (const [owner, held] of byOwner) if (held === address) return owner;
    return null;
  }

  /** The addresses that an owner holds, each with its network; up to one of each family on each. */
  addressesOf(owner: string): readonly (readonly [network: string, address: string])[] {
    return [...this.#networks].flatMap(([network, leases]) =>
      FAMILIES.flatMap((family) => {
        const address = leases[family].byOwner.get(owner);
        return address === undefined ? [] : [[network, address] as const];
      }),
    );
  }

  /** Lets another key have everything that one holds; written with the next {@link save}. */
  rename(from: ResourceKey, to: ResourceKey): void {
    for (const leases of this.#all()) leases.rename(from, to);
    for (const [key, lease] of [...this.#ports]) {
      if (lease.container !== from) continue;
      this.#ports.delete(key);
      this.#ports.set(portKey({ ...lease, owner: to }), { ...lease, container: to });
    }
    this.#unsaved.owners.add(from).add(to);
  }

  /** Gives up what a container holds on a network, of one family or both; written with the next {@link save}. */
  leave(owner: string, network: string, families: readonly Family[] = FAMILIES): void {
    const held = families.map((family) => this.#leasesOf(network, family)).filter(({ byOwner }) => byOwner.has(owner));
    for (const leases of held) leases.release(owner);
    if (held.length > 0) this.#unsaved.owners.add(owner);
  }

  /** Gives up everything a container holds; written with the next {@link save}. */
  release(owner: string): void {
    for (const leases of this.#all()) leases.release(owner);
    for (const [key, lease] of this.#ports) if (lease.container === owner) this.#ports.delete(key);
    this.#unsaved.owners.add(owner);
  }

  releaseNetwork(network: string): void {
    this.#networks.delete(network);
    this.#unsaved.goneNetworks.add(network);
  }

  /** Keys of everything that holds a lease, be it only because its release could not be written; some more than once. */
  *owners(): Generator<string, undefined> {
    for (const { byOwner } of this.#all()) yield* byOwner.keys();
    for (const { container } of this.#ports.values()) yield container;
    yield* this.#unsaved.owners;
  }

  /** As it is now: what was decided after the save began is right too. */
  #write({ owners, goneNetworks }: Unsaved): void {
    const addresses: AddressLease[] = [];
    const last: Pick<AddressLease, 'network' | 'address'>[] = [];
    for (const [network, both] of this.#networks) {
      for (const leases of Object.values(both)) {
        for (const container of owners) {
          const address = leases.byOwner.get(container);
          if (address !== undefined) addresses.push({ network, container, address });
        }
        if (leases.last !== null) last.push({ network, address: leases.last });
      }
    }
    this.#store.write({
      containers: owners,
      addresses,
      ports: [...this.#ports.values()].filter(({ container }) => owners.has(container)),
      last,
      goneNetworks: [...goneNetworks].filter((network) => !this.#networks.has(network)),
    });
  }

  #allocate(
    { subnet, gateway, fixedCidr, closed = [], reserved }: AddressRequest,
    leases: FamilyLeases,
  ): string | null {
    const others = reserved();
    const taken = { has: (address: string) => leases.taken.has(address) || others.has(address) };
    return nextAddress({ subnet, gateway, range: fixedCidr, reserved: closed }, taken, leases.last);
  }

  *#all(): Generator<FamilyLeases, undefined> {
    for (const { ipv4, ipv6 } of this.#networks.values()) {
      yield ipv4;
      yield ipv6;
    }
  }

  #leasesOf(network: string, family: Family): FamilyLeases {
    let known = this.#networks.get(network);
    if (known === undefined) {
      const leases = (of: Family) => new FamilyLeases(this.#store.lastAddress(network, of));
      known = { ipv4: leases('ipv4'), ipv6: leases('ipv6') };
      this.#networks.set(network, known);
    }
    return known[family];
  }
}
