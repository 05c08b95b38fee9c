/**
 * What a network driver does, and what operations see of all of them. A container has one sandbox (a network namespace),
 * whichever drivers connect it; sandboxes are therefore not a driver's: {@link Networks} holds them.
 */

import type { JsonValue } from '../../model/json.ts';
import type { Bandwidth } from '../../model/kinds/bandwidth-forms.ts';
import type { HostPort, Protocol } from '../../model/kinds/short-forms.ts';
import type { HostUse } from '../../model/networks/address-pools.ts';
import type { Driver } from './driver.ts';
import type { PortRelays } from './relay.ts';

/** Addresses of a network in one family. */
export interface NetworkRange {
  /** CIDR: 10.80.0.0/24, fd12:3456:789a:1::/64. */
  readonly subnet: string;
  /** An address of the subnet. Null for a network that leads nowhere else. */
  readonly gateway: string | null;
}

/** A network. Its ranges are resolved; allocation is not the driver's job. */
export interface NetworkConfig {
  /** Key of the network: `network/app/name`, or `network//bridge` for the default one. */
  readonly key: string;
  /** Name of its driver. */
  readonly driver: string;
  /** Name of its interface on the host, at most 15 bytes. Records of containers name the network by it. */
  readonly interfaceName: string;
  /** Null for a network without IPv4. */
  readonly ipv4: NetworkRange | null;
  /** Null for a network without IPv6. */
  readonly ipv6: NetworkRange | null;
  readonly mtu: number;
  /** No route to other networks and no published ports. */
  readonly internal: boolean;
  /** Read by the driver alone, which refuses what it does not know. */
  readonly options: { readonly [name: string]: JsonValue };
}

export interface PublishedPort {
  /** 0.0.0.0 or :: publish on every address of that family. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: Protocol;
}

/** One container's attachment to one network; container and network identify it. */
export interface EndpointConfig {
  /** Container id, 64 hex. */
  readonly containerId: string;
  /** Key of the network. */
  readonly network: string;
  /** Name of the interface inside: eth0. */
  readonly interfaceName: string;
  /** Address with the prefix length of the network, 10.80.0.2/24; null where the network has no IPv4. */
  readonly ipv4: string | null;
  /** Address with the prefix length of the network; null where the network has no IPv6. */
  readonly ipv6: string | null;
  /**
   * Addresses, with prefix length, that the container had until it took over those of another one. They stay with the
   * connections that have them; left out, there are none.
   */
  readonly former?: { readonly ipv4: string | null; readonly ipv6: string | null };
  /** Null for the driver's own choice. */
  readonly mac: string | null;
  /** The families whose default route leads through this endpoint, where its network has a gateway. */
  readonly defaultRoute: { readonly ipv4: boolean; readonly ipv6: boolean };
  readonly ports: readonly PublishedPort[];
  /** Ports of other containers (its links) that this one may reach although its network does not let containers connect to each other. */
  readonly reach: readonly { readonly address: string; readonly port: number; readonly protocol: Protocol }[];
  /** Most that its interface lets through, in bits a second: to the container, and from it. Left out, there is no limit. */
  readonly bandwidth?: Bandwidth;
  /** Settings of its interface by name, with IFNAME in the place of the interface's. Left out, it has those it is made with. */
  readonly sysctls?: Readonly<Record<string, string>>;
}

/** A network namespace, kept alive by an open fd. `netnsFd` is close-on-exec and belongs to {@link Networks}. */
export interface Sandbox {
  readonly containerId: string;
  readonly netnsFd: number;
}

/** Where the names of a container are asked for: 127.0.0.11 port 53 in its sandbox. Non-blocking, close-on-exec. */
export interface NameSockets {
  readonly udp: number;
  /** Listens. */
  readonly tcp: number;
}

/** A network of ours as the kernel has it. */
export interface ObservedNetwork {
  /** False when the kernel has nothing of it. */
  readonly found: boolean;
  /** What is missing, as short noun phrases. Never empty for a network that was not established in this process. */
  readonly drift: readonly string[];
}

/** One of our endpoints as the kernel has it. */
export interface ObservedEndpoint {
  readonly containerId: string;
  /** Key of the network; null when only the kernel knows the endpoint. */
  readonly network: string | null;
  /** False when its interface is gone. */
  readonly connected: boolean;
  /** What differs from the configuration that was attached or resumed: `interface down`. Ports are not part of it. */
  readonly drift: readonly string[];
  /** Published ports that are in effect. */
  readonly ports: readonly PublishedPort[];
}

export interface ObservedNetworks {
  /** By key: those established in this process and those found. */
  readonly networks: ReadonlyMap<string, ObservedNetwork>;
  /** By container id: those attached in this process and those found. No list is empty. */
  readonly endpoints: ReadonlyMap<string, readonly ObservedEndpoint[]>;
}

/** What a driver does that has networks. */
export interface NetworkConnections {
  /** Creates or repairs a network. @throws TSD_SUBNET_CONFLICT, TSD_NETWORK */
  ensureNetwork(config: NetworkConfig): void;
  removeNetwork(key: string): void;
  /** Returns the interface names of an endpoint: on the host, and in the sandbox. */
  interfaces(containerId: string, network: string): { readonly host: string; readonly container: string };
  /** Connects the sandbox: interface, address, route, published ports. Repairs missing parts and changes ports in place. */
  attach(config: EndpointConfig): void;
  /**
   * Takes over an endpoint that an earlier supervisor attached, with its relays; {@link observe} reports missing parts. Attaches the endpoint when its interface is gone.
   */
  resume(config: EndpointConfig): void;
  /**
   * Attaches an endpoint and moves the ports of container `from` to it, if `from` has any. New connections reach the new
   * endpoint from one packet to the next; open connections stay with `from`. Where the driver can share addresses and both
   * have the same one, that holds for connections to the address too; when either is detached it is the other's alone.
   */
  handOver(from: string, to: EndpointConfig): void;
  /**
   * Unpublishes ports of a container and frees the host ports. Its endpoints stay; {@link attach} publishes again.
   * @param only these; left out, all
   */
  withdraw(containerId: string, only?: readonly HostPort[]): void;
  /**
   * Removes ports and interface of an endpoint, also of one that could not be taken over. Succeeds when they are already gone,
   * and when another driver has the network. The container may be running.
   * @param interfaceName its name inside, for one that was not attached or resumed in this process; null when it was
   */
  disconnect(containerId: string, network: string, interfaceName: string | null): void;
  /** Removes all endpoints of a container. Succeeds when they are already gone. The sandbox is released right after it. */
  detach(containerId: string): void;
  /**
   * Returns everything of ours in the kernel, with the same objects while nothing changed. The number of system calls does
   * not depend on the number of containers.
   */
  observe(): ObservedNetworks;
  /**
   * Checks by a real bind(2) that a container can publish a port it does not hold yet.
   * @param containerId null for a container that does not exist yet
   * @throws TSD_PORT_IN_USE naming the other container or the foreign listener
   */
  checkPort(port: PublishedPort, containerId: string | null): void;
  /**
   * Removes everything of ours from the host: restores changed settings, then removes rules and interfaces. Call it only
   * while no container runs; {@link ensureNetwork} recreates networks. Returns a sentence for each thing that stays.
   */
  giveBack(): readonly string[];
}

export interface NetworkDriver extends Driver {
  /** Optional features. Callers test these, never the driver's name. */
  readonly capabilities: {
    /** Its containers have a sandbox; without, they are in the host's network namespace. */
    readonly sandbox: boolean;
    /** Endpoints publish ports on addresses of the host. */
    readonly ports: boolean;
    /** Two endpoints of a network may have one address while {@link NetworkConnections.handOver} moves it. */
    readonly sharedAddresses: boolean;
    /** Endpoints have an interface on the host, and the host reaches their addresses. */
    readonly onHost: boolean;
    /** Endpoints have MACs of their own, which can be chosen; else they have that of another interface, whatever is asked for. */
    readonly ownMac: boolean;
    /** {@link EndpointConfig.bandwidth} */
    readonly bandwidth: boolean;
  };
  /** Null for a driver without networks. */
  readonly connections: NetworkConnections | null;
  /** Closes what this process holds (sockets). Kernel objects and relays stay. */
  close(): void;
}

/** A socket that is neither bound nor connected. */
export interface UnboundSocket {
  readonly protocol: 'tcp' | 'udp';
  readonly family: 'ipv4' | 'ipv6';
}

/** All sandboxes and networks of an instance, whichever their drivers. */
export interface Networks extends Omit<NetworkConnections, 'interfaces'> {
  /** In the order of the registry. */
  readonly drivers: readonly NetworkDriver[];
  readonly relays: PortRelays;
  /** @throws TSD_DRIVER_UNKNOWN */
  driver(name: string): NetworkDriver;
  /** Returns the sandbox of the container; creates an empty namespace with loopback up when none is held. */
  createSandbox(containerId: string): Sandbox;
  /**
   * Takes over the namespace of a container that outlived a supervisor. The descriptor is closed at once when that fails or
   * when the sandbox is held already.
   */
  adoptSandbox(containerId: string, netnsFd: number): Sandbox;
  sandbox(containerId: string): Sandbox | null;
  /**
   * Returns an unconnected socket inside the sandbox: non-blocking and close-on-exec. The caller closes it.
   * @throws TSD_NETWORK when there is no sandbox
   */
  openSocket(containerId: string, protocol: 'tcp' | 'udp', family: 'ipv4' | 'ipv6'): number;
  /** As {@link openSocket}, of many at once: all, or none where one cannot be opened. */
  openSockets(containerId: string, wanted: readonly UnboundSocket[]): readonly number[];
  /** Returns what the host itself uses of the address space, which a new network must not overlap. */
  hostUse(): HostUse;
  /**
   * Opens the sockets at which names are answered inside the sandbox. The caller closes them.
   * @throws TSD_NETWORK when there is no sandbox; TSD_SYSCALL, EADDRINUSE, while others of these are open
   */
  openNameSockets(containerId: string): NameSockets;
  /** Why a payload cannot listen on port 53 beside them; null where it can, or none were opened so far. */
  readonly nameShortcoming: string | null;
  /** As for a driver; releases the sandbox too. */
  detach(containerId: string): void;
  close(): void;
}
