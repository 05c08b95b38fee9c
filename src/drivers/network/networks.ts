/** Gives each network its driver and holds the sandboxes, which all drivers share. */

import { TsdError } from '../../model/errors/errors.ts';
import type { HostPort } from '../../model/kinds/short-forms.ts';
import { append } from '../../model/lists.ts';
import type { HostUse } from '../../model/networks/address-pools.ts';
import { networkName } from '../../model/networks/network-name.ts';
import type {
  EndpointConfig,
  NameSockets,
  NetworkConfig,
  NetworkConnections,
  NetworkDriver,
  Networks,
  ObservedEndpoint,
  ObservedNetworks,
  PublishedPort,
  Sandbox,
  UnboundSocket,
} from '../contract/network.ts';
import { collectErrors } from './collect-errors.ts';
import { readHostUse } from './host-use.ts';
import { setInterface } from './interface-settings.ts';
import type { RelaySockets } from './relay-sockets.ts';
import { withRouteSocket } from './route-socket.ts';
import type { Sandboxes } from './sandboxes.ts';

const NOTHING_SEEN: ObservedNetworks = { networks: new Map(), endpoints: new Map() };

/** The endpoints of each container, whichever drivers see them. */
function together(views: readonly ObservedNetworks['endpoints'][]): ObservedNetworks['endpoints'] {
  const found = new Map<string, readonly ObservedEndpoint[]>();
  for (const view of views) {
    for (const [containerId, endpoints] of view)
      found.set(containerId, [...(found.get(containerId) ?? []), ...endpoints]);
  }
  return found;
}

export class NetworksByDriver implements Networks {
  readonly drivers: readonly NetworkDriver[];
  readonly relays: RelaySockets;
  readonly #sandboxes: Sandboxes;
  /** Of the drivers that have networks. */
  readonly #connections: readonly NetworkConnections[];
  readonly #publishing: readonly NetworkConnections[];
  /** Drivers of the networks that were established, by key. */
  readonly #byNetwork = new Map<string, NetworkDriver>();

  constructor(drivers: readonly NetworkDriver[], sandboxes: Sandboxes, relays: RelaySockets) {
    this.drivers = drivers;
    this.relays = relays;
    this.#sandboxes = sandboxes;
    const connections = (of: readonly NetworkDriver[]) => of.flatMap((driver) => driver.connections ?? []);
    this.#connections = connections(drivers);
    this.#publishing = connections(drivers.filter(({ capabilities }) => capabilities.ports));
  }

  driver(name: string): NetworkDriver {
    const found = this.drivers.find((driver) => driver.name === name);
    if (found !== undefined) return found;
    const names = this.drivers.map((driver) => driver.name).join(', ');
    throw new TsdError('TSD_DRIVER_UNKNOWN', `unknown network driver ${name}; there are ${names}`);
  }

  ensureNetwork(config: NetworkConfig): void {
    const driver = this.driver(config.driver);
    if (driver.connections === null) {
      throw new TsdError('TSD_NETWORK', `driver ${driver.name} has no networks`, { class: 'invalid' });
    }
    driver.connections.ensureNetwork(config);
    this.#byNetwork.set(config.key, driver);
  }

  removeNetwork(key: string): void {
    const known = this.#byNetwork.get(key)?.connections;
    const from = known ? [known] : this.#connections;
    collectErrors(
      `remove ${networkName(key)}`,
      from.map((connections) => () => connections.removeNetwork(key)),
    );
    this.#byNetwork.delete(key);
  }

  createSandbox(containerId: string): Sandbox {
    return this.#sandboxes.create(containerId);
  }

  adoptSandbox(containerId: string, netnsFd: number): Sandbox {
    return this.#sandboxes.adopt(containerId, netnsFd);
  }

  sandbox(containerId: string): Sandbox | null {
    return this.#sandboxes.get(containerId);
  }

  openSocket(containerId: string, protocol: 'tcp' | 'udp', family: 'ipv4' | 'ipv6'): number {
    return this.#sandboxes.openSocket(containerId, protocol, family);
  }

  openSockets(containerId: string, wanted: readonly UnboundSocket[]): readonly number[] {
    return this.#sandboxes.openSockets(containerId, wanted);
  }

  openNameSockets(containerId: string): NameSockets {
    return this.#sandboxes.openNameSockets(containerId);
  }

  get nameShortcoming(): string | null {
    return this.#sandboxes.nameShortcoming;
  }

  attach(config: EndpointConfig): void {
    this.#of(config).attach(config);
    this.#set(config);
  }

  resume(config: EndpointConfig): void {
    this.#of(config).resume(config);
  }

  handOver(from: string, to: EndpointConfig): void {
    this.#of(to).handOver(from, to);
    this.#set(to);
  }

  withdraw(containerId: string, only?: readonly HostPort[]): void {
    collectErrors(
      `withdraw the ports of container ${containerId}`,
      this.#publishing.map((connections) => () => connections.withdraw(containerId, only)),
    );
  }

  detach(containerId: string): void {
    collectErrors(`detach container ${containerId}`, [
      ...this.#connections.map((connections) => () => connections.detach(containerId)),
      () => this.#sandboxes.release(containerId),
    ]);
  }

  disconnect(containerId: string, network: string, interfaceName: string | null): void {
    const known = this.#byNetwork.get(network)?.connections;
    // One that could not be set up has endpoints of an earlier supervisor all the same.
    const from = known ? [known] : this.#connections;
    collectErrors(
      `disconnect container ${containerId} from ${networkName(network)}`,
      from.map((connections) => () => connections.disconnect(containerId, network, interfaceName)),
    );
  }

  observe(): ObservedNetworks {
    const views = this.#connections
      .map((connections) => connections.observe())
      .filter(({ networks, endpoints }) => networks.size + endpoints.size > 0);
    const [only = NOTHING_SEEN] = views;
    if (views.length <= 1) return only;
    return {
      networks: new Map(views.flatMap(({ networks }) => [...networks])),
      endpoints: together(views.map(({ endpoints }) => endpoints)),
    };
  }

  checkPort(port: PublishedPort, containerId: string | null): void {
    for (const connections of this.#publishing) connections.checkPort(port, containerId);
  }

  hostUse(): HostUse {
    return withRouteSocket(readHostUse);
  }

  giveBack(): readonly string[] {
    this.#sandboxes.releaseAll();
    const stays: string[] = [];
    collectErrors(
      'give the host back',
      this.#connections.map((connections) => () => append(stays, connections.giveBack())),
    );
    this.#byNetwork.clear();
    return stays;
  }

  close(): void {
    for (const driver of this.drivers) driver.close();
    this.#sandboxes.releaseAll();
    this.#sandboxes.close();
    this.relays.end();
  }

  /** Settings of an interface that is there. */
  #set(config: EndpointConfig): void {
    const sandbox = this.#sandboxes.get(config.containerId);
    if (sandbox !== null) setInterface(sandbox, config);
  }

  /**
   * @throws TsdError TSD_NETWORK, precondition, for a network that was not established; unsupported, for ports that it cannot
   * publish and for a limit that it cannot keep.
   */
  #of({ network, ports, bandwidth }: EndpointConfig): NetworkConnections {
    const driver = this.#byNetwork.get(network);
    if (!driver?.connections) {
      throw new TsdError('TSD_NETWORK', `${networkName(network)} does not exist`, {
        class: 'precondition',
        step: 'attach',
      });
    }
    if (bandwidth !== undefined && !driver.capabilities.bandwidth) {
      throw new TsdError(
        'TSD_NETWORK',
        `the bandwidth of a container on ${network} cannot be limited: its driver ${driver.name} has no interface on the host`,
        {
          class: 'unsupported',
          step: 'limit the bandwidth',
          hint: 'Leave `bandwidth` out, or use a network of the driver bridge.',
        },
      );
    }
    if (ports.length === 0 || driver.capabilities.ports) return driver.connections;
    throw new TsdError(
      'TSD_NETWORK',
      `a container on ${network} cannot publish ports: its driver ${driver.name} has none`,
      {
        class: 'unsupported',
        step: 'publish ports',
        hint: 'Leave `ports` out; other machines reach the container at its own address.',
      },
    );
  }
}
