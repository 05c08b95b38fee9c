import { closeSync } from 'node:fs';
import { readForwarding } from '../../../ffi/host/sysinfo.ts';
import { findLink, type Link } from '../../../ffi/network/links.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Fingerprint, Instance, OriginalSettings } from '../../contract/driver.ts';
import type {
  EndpointConfig,
  NetworkConfig,
  NetworkConnections,
  NetworkDriver,
  ObservedNetwork,
  ObservedNetworks,
  PublishedPort,
  Sandbox,
} from '../../contract/network.ts';
import { collectErrors } from '../collect-errors.ts';
import { SandboxView } from '../sandbox-view.ts';
import type { Sandboxes } from '../sandboxes.ts';
import { Attachments } from './attachments.ts';
import { type BridgeEndpoint, bridgeEndpoint } from './bridge-endpoint.ts';
import { BridgeLinks, type ObservedBridge } from './bridge-links.ts';
import { allDestinationsOf, destinationsOf, EndpointLinks } from './endpoint-links.ts';
import { EndpointView } from './endpoint-view.ts';
import { fingerprintBridge } from './fingerprint.ts';
import { Firewall } from './firewall/firewall.ts';
import { openNeighbour } from './firewall/firewall-neighbours.ts';
import {
  type Element,
  endpointOwner,
  isComplete,
  isPort,
  linkElements,
  networkElements,
  type Owner,
  type ReadTable,
  withoutPorts,
} from './firewall/ruleset.ts';
import { bindError, Forwarders } from './forwarders/forwarders.ts';
import { bindSocket } from './forwarders/host-sockets.ts';
import { FORWARDING, giveBack } from './give-back.ts';
import { HostLinks, type HostView } from './host-links.ts';
import { HostSettings } from './host-settings.ts';
import { hasIpv6 } from './link-local.ts';
import { CONTAINER_INTERFACE, Names } from './names.ts';
import { type BridgeNetwork, bridgeNetwork } from './network-options.ts';
import { BROKEN, networkDrift } from './observe.ts';
import { boundAddresses, type PublishOptions, publish } from './publication.ts';
import { PublishedPorts } from './published-ports.ts';
import { checkEndpoint, checkNetwork, checkPublishedPort } from './validate.ts';

export interface BridgeOptions {
  readonly instance: Instance;
  /** False: no packet filter is touched (--iptables=false). Ports are then published by listeners of this process. */
  readonly iptables: boolean;
  /** Forwarding is switched on where it is off; without, containers do with what they get (--ip-forward). */
  readonly ipForward: boolean;
  readonly originals: OriginalSettings;
  readonly sandboxes: Sandboxes;
}

/** Bridges, veth pairs and nftables rules; see the comments of ruleset.ts. */
export function createBridgeDriver(options: BridgeOptions): NetworkDriver {
  return new BridgeDriver(options);
}

const forwards = (): boolean => readForwarding().ipv4 !== false;

const networkOwner = (bridge: string): Owner => `network:${bridge}`;

class BridgeDriver implements NetworkDriver, NetworkConnections {
  readonly name = 'bridge';
  readonly capabilities = { sandbox: true, ports: true };
  readonly connections = this;
  readonly #options: BridgeOptions;
  readonly #names: Names;
  readonly #settings: HostSettings;
  readonly #bridges: BridgeLinks;
  readonly #links: HostLinks;
  readonly #endpoints: EndpointLinks;
  readonly #sandboxes: Sandboxes;
  readonly #inside: SandboxView;
  readonly #forwarders = new Forwarders();
  readonly #ports = new PublishedPorts();
  readonly #networks = new Map<string, BridgeNetwork>();
  readonly #attached = new Attachments();
  readonly #view: EndpointView;
  readonly #ipv6 = hasIpv6();
  #opened: Firewall | null = null;

  constructor(options: BridgeOptions) {
    this.#options = options;
    this.#sandboxes = options.sandboxes;
    this.#inside = new SandboxView(options.sandboxes);
    this.#names = new Names(options.instance.id);
    this.#settings = new HostSettings(options.originals);
    this.#bridges = new BridgeLinks(this.#names, this.#settings);
    this.#links = new HostLinks(this.#bridges.socket);
    this.#endpoints = new EndpointLinks(this.#names, this.#bridges.socket);
    this.#view = new EndpointView({
      links: this.#endpoints,
      sandboxes: this.#inside,
      forwarders: this.#forwarders,
      attached: this.#attached,
      networks: this.#networks,
      publishOptions: (foreign) => this.#publishOptions(foreign),
    });
  }

  fingerprint(): Fingerprint {
    return fingerprintBridge(this.#options, this.#names);
  }

  ensureNetwork(wanted: NetworkConfig): void {
    const config = bridgeNetwork(wanted);
    checkNetwork(config);
    const firewall = this.#firewall();
    if (config.foreign) this.#bridges.checkForeign(config);
    else this.#bridges.ensure(config);
    this.#networks.set(config.key, config);
    this.#view.forget();
    if (!config.internal) this.#forward();
    if (firewall === null) return;
    firewall.set(networkOwner(config.bridge), networkElements(config));
    firewall.repair();
    this.#syncNeighbour(firewall);
  }

  removeNetwork(key: string): void {
    const config = this.#networks.get(key);
    const links = this.#bridges.named(key);
    const names = new Set([...links.map(({ name }) => name), ...(config === undefined ? [] : [config.bridge])]);
    const firewall = this.#firewallFor(names.size > 0);
    collectErrors(`remove network ${key}`, [
      ...[...names].map((bridge) => () => firewall?.set(networkOwner(bridge), [])),
      ...links.map((link) => () => this.#bridges.remove(link)),
      () => {
        this.#networks.delete(key);
        this.#view.forget();
        if (firewall !== null) this.#tidy(firewall);
      },
    ]);
  }

  attach(config: EndpointConfig): void {
    this.#attach(config, null);
  }

  handOver(from: string, to: EndpointConfig): void {
    this.#attach(to, from);
    this.#ports.set(from, []);
    this.#attached.withoutPorts(from);
  }

  resume(endpoint: EndpointConfig): void {
    const { containerId } = endpoint;
    const link = this.#endpoints.indexOf(containerId);
    if (link === null) {
      this.attach(endpoint);
      return;
    }
    const { config, network } = this.#place(endpoint);
    const { elements, listeners } = publish(config, this.#publishOptions(network.foreign));
    const wanted = [...elements, ...this.#linkElements(config, network)];
    this.#forwarders.set(containerId, listeners);
    const firewall = this.#firewall();
    if (firewall?.holds(endpointOwner(containerId), wanted) === false) firewall.set(endpointOwner(containerId), wanted);
    this.#inside.routesWanted(containerId, destinationsOf(network));
    this.#remember(config, network, link);
  }

  /** @param from the container that has the ports until then; null for none */
  #attach(wanted: EndpointConfig, from: string | null): void {
    const { containerId } = wanted;
    const { config, network, sandbox } = this.#place(wanted);
    const firewall = this.#firewall();
    for (const port of config.ports) this.#checkHolder(port, [containerId, from]);
    const { created, index } = this.#endpoints.connect(config, network, sandbox);
    this.#inside.routesWanted(containerId, destinationsOf(network));
    this.#inside.routesMade(containerId, created ? allDestinationsOf(network) : null);
    try {
      this.#publish(config, network, firewall, from);
    } catch (error) {
      if (created) this.#endpoints.disconnect(containerId);
      throw error;
    }
    this.#remember(config, network, index);
  }

  /** Between what an endpoint is. @throws TsdError TSD_NETWORK, precondition, when either is not there. */
  #place(wanted: EndpointConfig): {
    readonly config: BridgeEndpoint;
    readonly network: BridgeNetwork;
    readonly sandbox: Sandbox;
  } {
    const network = this.#networks.get(wanted.network);
    const sandbox = this.#sandboxes.get(wanted.containerId);
    if (network === undefined || sandbox === null) {
      const missing =
        network === undefined ? `network ${wanted.network}` : `sandbox of container ${wanted.containerId}`;
      throw new TsdError('TSD_NETWORK', `${missing} does not exist`, { class: 'precondition', step: 'attach' });
    }
    const config = bridgeEndpoint(wanted);
    checkEndpoint(config, network);
    return { config, network, sandbox };
  }

  #remember(config: BridgeEndpoint, { foreign }: BridgeNetwork, link: number): void {
    this.#ports.set(config.containerId, config.ports);
    this.#attached.remember({ config, foreign, link });
  }

  interfaces(containerId: string): { readonly host: string; readonly container: string } {
    return { host: this.#names.veth(containerId), container: CONTAINER_INTERFACE };
  }

  withdraw(containerId: string): void {
    const firewall = this.#firewall();
    collectErrors(`withdraw the ports of container ${containerId}`, [
      () => this.#forwarders.set(containerId, []),
      () => firewall?.set(endpointOwner(containerId), this.#linksOf(containerId, firewall)),
    ]);
    this.#ports.set(containerId, []);
    this.#attached.withoutPorts(containerId);
  }

  disconnect(containerId: string, network: string): void {
    if (this.#attached.get(containerId)?.config.network !== network) return;
    const firewall = this.#firewall();
    collectErrors(`disconnect container ${containerId} from ${network}`, [
      () => this.#forwarders.set(containerId, []),
      () => firewall?.set(endpointOwner(containerId), []),
      () => this.#endpoints.disconnect(containerId),
    ]);
    this.#ports.set(containerId, []);
    this.#attached.forget(containerId);
  }

  detach(containerId: string): void {
    const firewall = this.#firewallFor(this.#endpoints.indexOf(containerId) !== null);
    const held = this.#sandboxes.get(containerId) !== null;
    collectErrors(`detach container ${containerId}`, [
      () => this.#forwarders.set(containerId, []),
      () => firewall?.set(endpointOwner(containerId), []),
      // A namespace, which is released next, takes its interfaces with it when its last user lets go, without the tens of milliseconds that
      // RTM_DELLINK waits for; only a pair without a namespace of ours has to be deleted.
      () => (held ? this.#attached.leave(containerId) : this.#endpoints.disconnect(containerId)),
    ]);
    this.#ports.set(containerId, []);
    this.#attached.forget(containerId);
  }

  observe(): ObservedNetworks {
    const firewall = this.#firewallFor(false);
    const host = this.#links.look();
    const links = this.#topLinks(host);
    const table = firewall?.read() ?? null;
    const rules = this.#rulesComplete(firewall, table) && (!this.#needsForwarding() || forwards());
    return {
      networks: this.#observeNetworks(this.#bridges.observe(links, host.addresses), rules),
      endpoints: this.#view.look(links, host.plugged, table),
    };
  }

  #observeNetworks(bridges: readonly ObservedBridge[], rules: boolean): Map<string, ObservedNetwork> {
    const networks = new Map<string, ObservedNetwork>();
    for (const { key } of bridges) networks.set(key, { found: true, drift: BROKEN });
    const byName = new Map(bridges.map((bridge) => [bridge.bridge, bridge]));
    for (const config of this.#networks.values()) {
      const bridge = byName.get(config.bridge) ?? null;
      networks.set(config.key, { found: networks.has(config.key), drift: networkDrift(config, bridge, rules) });
    }
    return networks;
  }

  checkPort(port: PublishedPort, containerId: string | null): void {
    checkPublishedPort(port);
    this.#firewall();
    this.#checkHolder(port, [containerId]);
    for (const address of boundAddresses(port.hostIp, this.#publishOptions(false))) {
      const wanted = { address, port: port.hostPort, protocol: port.protocol };
      const fd = bindSocket(wanted);
      if (fd < 0) throw bindError(wanted, -fd);
      closeSync(fd);
    }
  }

  occupiedSubnets(): readonly string[] {
    return this.#bridges.occupied();
  }

  giveBack(): readonly string[] {
    const firewall = this.#firewallFor(false);
    this.#forwarders.close();
    const stays = giveBack({ names: this.#names, bridges: this.#bridges, settings: this.#settings, firewall });
    this.#networks.clear();
    this.#view.forget();
    return stays;
  }

  close(): void {
    this.#forwarders.close();
    this.#inside.close();
    this.#links.close();
    this.#bridges.close();
    this.#opened?.close();
    this.#opened = null;
  }

  /** Null when rules are switched off. The first call takes over what the kernel still has of an earlier supervisor. */
  #firewall(): Firewall | null {
    if (!this.#options.iptables) return null;
    if (this.#opened === null) {
      this.#opened = new Firewall(this.#names);
      this.#ports.load(this.#opened.wanted);
    }
    return this.#opened;
  }

  /**
   * For looking and for taking away.
   * @param needed whether there may be rules of ours for it. Without, a host without libnftables has nothing to do: null.
   */
  #firewallFor(needed: boolean): Firewall | null {
    try {
      return this.#firewall();
    } catch (error) {
      if (!needed && error instanceof TsdError && error.code === 'TSD_UNSUPPORTED_HOST') return null;
      throw error;
    }
  }

  #rulesComplete(firewall: Firewall | null, table: ReadTable | null): boolean {
    if (firewall === null) return !this.#options.iptables || this.#networks.size === 0;
    return firewall.wanted.size === 0 || isComplete(table, withoutPorts(firewall.wanted));
  }

  #publishOptions(foreign: boolean): PublishOptions {
    return { rules: this.#options.iptables, foreign, ipv6: this.#ipv6 };
  }

  /** Listeners first: they may find the port taken. When the rules fail, they are put back. */
  #publish(config: BridgeEndpoint, network: BridgeNetwork, firewall: Firewall | null, from: string | null): void {
    const { containerId } = config;
    const { elements, listeners } = publish(config, this.#publishOptions(network.foreign));
    const changes = new Map([[endpointOwner(containerId), [...elements, ...this.#linkElements(config, network)]]]);
    if (from !== null) changes.set(endpointOwner(from), this.#linksOf(from, firewall));
    const before = this.#forwarders.listenersOf(containerId);
    const held = from === null ? [] : this.#forwarders.listenersOf(from);
    if (from === null) this.#forwarders.set(containerId, listeners);
    else this.#forwarders.handOver(from, containerId, listeners);
    try {
      firewall?.setAll(changes);
    } catch (error) {
      if (from !== null) this.#forwarders.handOver(containerId, from, held);
      this.#forwarders.set(containerId, before);
      throw error;
    }
  }

  #linkElements(config: BridgeEndpoint, network: BridgeNetwork): Element[] {
    return linkElements(config, network, this.#names.veth(config.containerId));
  }

  /** What an endpoint keeps when its ports go: the ways to its links. */
  #linksOf(containerId: string, firewall: Firewall | null): Element[] {
    return [...(firewall?.wanted.get(endpointOwner(containerId)) ?? [])].filter((element) => !isPort(element));
  }

  #checkHolder(port: PublishedPort, own: readonly (string | null)[]): void {
    const holder = this.#ports.holder(port, own);
    if (holder === null) return;
    const where = `${port.hostIp}:${port.hostPort}/${port.protocol}`;
    throw new TsdError('TSD_PORT_IN_USE', `host port ${where} is published by container ${holder.slice(0, 12)}`, {
      step: `publish ${where}`,
    });
  }

  /** Links without a master, and our bridges even where somebody put them into something else. */
  #topLinks({ top: links }: HostView): readonly Link[] {
    const names = new Set(links.map(({ name }) => name));
    const missing = [...this.#networks.values()].filter(({ bridge }) => !names.has(bridge));
    if (missing.length === 0) return links;
    return [...links, ...missing.flatMap(({ bridge }) => findLink(this.#bridges.socket, bridge) ?? [])];
  }

  #needsForwarding(): boolean {
    return this.#options.ipForward && [...this.#networks.values()].some(({ internal }) => !internal);
  }

  #forward(): void {
    if (this.#options.ipForward) this.#settings.change(FORWARDING, '1');
  }

  #syncNeighbour(firewall: Firewall): void {
    const bridges = [...firewall.wanted.keys()].flatMap((owner) =>
      owner.startsWith('network:') ? [owner.slice('network:'.length)] : [],
    );
    const passage = { bridges, outward: bridges.length === 0 ? [] : this.#bridges.outward() };
    openNeighbour((step, commands) => firewall.run(step, commands), this.#names, passage);
  }

  /** Removes what a removed network leaves: rules of unused bridges, the neighbour's chain, an empty table. */
  #tidy(firewall: Firewall): void {
    const known = new Set([...this.#networks.values()].map(({ bridge }) => networkOwner(bridge)));
    for (const owner of [...firewall.wanted.keys()]) {
      if (!owner.startsWith('network:') || known.has(owner)) continue;
      if (findLink(this.#bridges.socket, owner.slice('network:'.length)) === null) firewall.set(owner, []);
    }
    this.#syncNeighbour(firewall);
    if (firewall.wanted.size === 0) firewall.removeAll();
  }
}
