/** What a network driver does: networks, sandboxes and what connects them. */
import type { Driver } from './driver.ts';

/** A bridge network. `subnet` and `gateway` are resolved; allocation is not the driver's job. */
export interface NetworkConfig {
  /** Key of the network: `network/app/name`, or `network//bridge` for the default bridge. */
  readonly key: string;
  /** Interface name, at most 15 bytes. */
  readonly bridge: string;
  /** True when the bridge is not ours (`-b`): the driver uses it and never creates, changes or removes it. */
  readonly foreign: boolean;
  /** CIDR of the network, e.g. 10.80.0.0/24. */
  readonly subnet: string;
  readonly gateway: string;
  readonly mtu: number;
  /** Containers of this network may connect to each other without a link. */
  readonly icc: boolean;
  /** Rewrite the source address of packets that leave the network. */
  readonly masquerade: boolean;
  /** No route to other networks and no published ports. */
  readonly internal: boolean;
}

export interface PublishedPort {
  /** 0.0.0.0 or :: publish on every address of that family. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** One container's attachment to one bridge network. */
export interface EndpointConfig {
  /** Container id, 64 hex. */
  readonly containerId: string;
  /** Key of the network. */
  readonly network: string;
  /** IPv4 address with prefix length: 10.80.0.2/24. */
  readonly address: string;
  readonly mac: string;
  readonly ports: readonly PublishedPort[];
  /** Ports of other containers (its links) that this one may reach although icc is off. */
  readonly reach: readonly { readonly address: string; readonly port: number; readonly protocol: 'tcp' | 'udp' }[];
}

/** A network namespace, kept alive by an open fd. `netnsFd` is close-on-exec and belongs to the driver. */
export interface Sandbox {
  readonly containerId: string;
  readonly netnsFd: number;
}

/** One of our endpoints as the kernel has it. A missing part is drift. */
export interface ObservedEndpoint {
  readonly containerId: string;
  readonly hostInterface: string | null;
  readonly bridge: string | null;
  readonly up: boolean;
  /** IPv4 addresses in the sandbox, with prefix length; null when the driver does not hold the sandbox. */
  readonly addresses: readonly string[] | null;
  /** Destinations of routes that `attach` added and that the last check did not find. Absent when none is missing. */
  readonly missingRoutes?: readonly string[];
  readonly ports: readonly PublishedPort[];
}

export interface ObservedNetworks {
  /** Bridges that carry our alias, by interface name. */
  readonly bridges: readonly {
    readonly bridge: string;
    readonly key: string;
    readonly up: boolean;
    readonly addresses: readonly string[];
  }[];
  readonly endpoints: ReadonlyMap<string, ObservedEndpoint>;
  /**
   * False when our nft table, one of its base chains or a rule of a network or link is missing, or forwarding is off. Ports
   * are reported per endpoint.
   */
  readonly rules: boolean;
  /** Keys of the networks that `ensureNetwork` has established in this process; only these can be attached to. */
  readonly known: ReadonlySet<string>;
}

export interface NetworkDriver extends Driver {
  /** Creates or repairs bridge, address and rules. @throws TSD_SUBNET_CONFLICT, TSD_NETWORK */
  ensureNetwork(config: NetworkConfig): void;
  removeNetwork(key: string): void;
  /** Returns the sandbox of the container; creates an empty namespace with loopback up when none is held. */
  createSandbox(containerId: string): Sandbox;
  /**
   * Takes over the namespace of a container that outlived a supervisor. The descriptor belongs to the driver from here on,
   * which closes it at once when it fails or holds the sandbox already.
   */
  adoptSandbox(containerId: string, netnsFd: number): Sandbox;
  sandbox(containerId: string): Sandbox | null;
  /** Returns the interface names of an attached container: on the host, and in the sandbox. */
  interfaces(containerId: string): { readonly host: string; readonly container: string };
  /**
   * Returns an unconnected socket inside the sandbox: non-blocking and close-on-exec. The caller closes it.
   * @throws TSD_NETWORK when there is no sandbox
   */
  openSocket(containerId: string, protocol: 'tcp' | 'udp', family: 'ipv4' | 'ipv6'): number;
  /** Connects the sandbox: veth, address, route, published ports. Repairs missing parts and changes ports in place. */
  attach(config: EndpointConfig): void;
  /**
   * Takes over an endpoint that an earlier supervisor attached. Recreates only what ended with that process (listeners);
   * {@link observe} reports other missing parts. Attaches the endpoint when its veth pair is gone.
   */
  resume(config: EndpointConfig): void;
  /**
   * Attaches an endpoint and moves the ports of container `from` to it, if `from` has any. New connections reach the new
   * endpoint from one packet to the next; open connections stay with `from`.
   */
  handOver(from: string, to: EndpointConfig): void;
  /** Unpublishes all ports and frees the host ports. The endpoint stays; {@link attach} publishes again. */
  withdraw(containerId: string): void;
  /** Removes ports, veth and namespace. Succeeds when they are already gone. */
  detach(containerId: string): void;
  /** Returns everything of ours in the kernel. The number of system calls does not depend on the number of containers. */
  observe(): ObservedNetworks;
  /**
   * Checks by a real bind(2) that a container can publish a port it does not hold yet.
   * @param containerId null for a container that does not exist yet
   * @throws TSD_PORT_IN_USE naming the other container or the foreign listener
   */
  checkPort(port: PublishedPort, containerId: string | null): void;
  /** Returns the subnets and addresses of the host that a new network must not overlap (routes, name servers). */
  occupiedSubnets(): readonly string[];
  /**
   * Removes everything of ours from the host: restores changed settings, then removes rules, interfaces and bridges. Call it
   * only while no container runs; {@link ensureNetwork} recreates networks. Returns a sentence for each thing that stays.
   */
  giveBack(): readonly string[];
  /** Stops the helpers in this process (forwarders, sockets). Kernel objects stay. */
  close(): void;
}
