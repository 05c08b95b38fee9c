import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { readForwarding } from '../../../ffi/host/sysinfo.ts';
import { findLink, type Link, listTopLinks } from '../../../ffi/network/links.ts';
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
import { AddressMoves, bridgeCapabilities } from './address-moves.ts';
import { type Attached, Attachments } from './attachments.ts';
import { type BridgeEndpoint, bridgeEndpoint } from './bridge-endpoint.ts';
import { BridgeLinks, type ObservedBridge } from './bridge-links.ts';
import { EndpointLinks, type PairIndexes } from './endpoint-links.ts';
import { EndpointView } from './endpoint-view.ts';
import { fingerprintBridge } from './fingerprint.ts';
import { fenceElements, isFenced, networkElements, reachElements, unfenced } from './firewall/elements.ts';
import { Firewall } from './firewall/firewall.ts';
import { openNeighbour } from './firewall/firewall-neighbours.ts';
import { Moves } from './firewall/moves.ts';
import { isComplete, type ReadTable, withoutPorts } from './firewall/read-table.ts';
import { type Element, endpointOwner, isPort, type Owner, withoutThose } from './firewall/ruleset.ts';
import { bindError, Forwarders } from './forwarders/forwarders.ts';
import { bindSocket } from './forwarders/host-sockets.ts';
import { giveBack } from './give-back.ts';
import { HostLinks, type HostView } from './host-links.ts';
import { FORWARDING, HostSettings } from './host-settings.ts';
import { madeFacts, wantedInside } from './inside.ts';
import { hasIpv6 } from './link-local.ts';
import { LoopbackShield } from './loopback-shield.ts';
import { CONTAINER_INTERFACE, containerOf, type EndpointId, endpointId, Names } from './names.ts';
import { type BridgeNetwork, bridgeNetwork } from './network-options.ts';
import { BROKEN, networkDrift } from './observe.ts';
import { boundAddresses, checkSctp, type PublishOptions, publish } from './publication.ts';
import { PublishedPorts } from './published-ports.ts';
import { checkEndpoint, checkNetwork, checkPublishedPort } from './validate.ts';

export interface BridgeDriverOptions {
  readonly instance: Instance;
  /** False: no packet filter is touched (--iptables=false). Ports are then published by listeners of this process. */
  readonly iptables: boolean;
  /** Forwarding is switched on where it is off; without, containers do with what they get (--ip-forward). */
  readonly ipForward: boolean;
  readonly originals: OriginalSettings;
  readonly sandboxes: Sandboxes;
}

/** Bridges, veth pairs and nftables rules; see the comments of ruleset.ts. */
export function createBridgeDriver(options: BridgeDriverOptions): NetworkDriver {
  return new BridgeDriver(options);
}

const NO_SCTP: readonly number[] = [constants.errno.EPROTONOSUPPORT, 94];

const networkOwner = (bridge: string): Owner => `network:${bridge}`;

class BridgeDriver implements NetworkDriver, NetworkConnections {
  readonly name = 'bridge';
  readonly capabilities: NetworkDriver['capabilities'];
  readonly connections = this;
  readonly #options: BridgeDriverOptions;
  readonly #names: Names;
  readonly #settings: HostSettings;
  readonly #bridges: BridgeLinks;
  readonly #links: HostLinks;
  readonly #shield: LoopbackShield;
  readonly #endpoints: EndpointLinks;
  readonly #sandboxes: Sandboxes;
  readonly #inside: SandboxView;
  readonly #forwarders = new Forwarders();
  readonly #ports = new PublishedPorts();
  readonly #networks = new Map<string, BridgeNetwork>();
  readonly #attached = new Attachments();
  readonly #moves: AddressMoves;
  readonly #view: EndpointView;
  readonly #ipv6 = hasIpv6();
  #opened: Firewall | null = null;
  #knownMoves: Moves | null = null;

  constructor(options: BridgeDriverOptions) {
    this.#options = options;
    this.#sandboxes = options.sandboxes;
    this.#inside = new SandboxView(options.sandboxes);
    this.#names = new Names(options.instance.id);
    this.#settings = new HostSettings(options.originals);
    this.#bridges = new BridgeLinks(this.#names, this.#settings);
    this.#links = new HostLinks(this.#bridges.socket);
    this.#shield = new LoopbackShield(this.#names, this.#bridges.socket);
    this.#endpoints = new EndpointLinks(this.#names, this.#bridges.socket);
    this.#moves = new AddressMoves({
      sandboxes: options.sandboxes,
      moves: () => this.#movesOf(this.#firewallFor(false)),
      linkOf: ({ host }) => host,
      containerOf: (link) => {
        const endpoint = this.#endpoints.endpointOfNamed(link);
        return endpoint && containerOf(endpoint);
      },
    });
    this.capabilities = bridgeCapabilities(options.iptables, this.#names);
    this.#view = new EndpointView({
      links: this.#endpoints,
      sandboxes: this.#inside,
      forwarders: this.#forwarders,
      attached: this.#attached,
      networks: this.#networks,
      publishOptions: (network) => this.#publishOptions(network),
    });
  }

  fingerprint(): Fingerprint {
    return fingerprintBridge(this.#options, this.#names, this.#shield.problem);
  }

  ensureNetwork(wanted: NetworkConfig): void {
    const config = bridgeNetwork(wanted);
    checkNetwork(config);
    const firewall = this.#firewall();
    if (config.foreign) this.#bridges.checkForeign(config);
    else this.#bridges.ensure(config);
    this.#networks.set(config.key, config);
    this.#view.forget();
    if (!config.internal) this.#forward(config);
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
    const { config, network } = this.#place(to);
    const moving = this.#moves.begin(this.#attached.find(from, to.network)?.config, config, network);
    try {
      this.#attach(to, from);
    } catch (error) {
      if (moving !== null) this.#moves.giveUp(moving);
      throw error;
    }
    if (moving !== null) this.#moves.complete(moving);
    for (const id of this.#idsOf(from)) this.#ports.set(id, []);
    this.#attached.withoutPorts(from);
  }

  resume(endpoint: EndpointConfig): void {
    const pair = this.#endpoints.find(endpointId(endpoint.containerId, endpoint.interfaceName));
    if (pair === null) {
      this.attach(endpoint);
      return;
    }
    const { config, network } = this.#place(endpoint);
    const { elements, listeners } = publish(config, this.#publishOptions(network));
    const firewall = this.#firewall();
    const wanted = [...elements, ...this.#rightsOf(config, network, firewall)];
    this.#forwarders.set(config.id, listeners);
    if (firewall?.holds(endpointOwner(config.id), wanted) === false) firewall.set(endpointOwner(config.id), wanted);
    this.#remember(config, network, pair);
    this.#moves.settle(config.host);
  }

  /** @param from the container that has the ports until then; null for none */
  #attach(wanted: EndpointConfig, from: string | null): void {
    const { config, network, sandbox } = this.#place(wanted);
    const firewall = this.#firewall();
    const { id, containerId } = config;
    for (const port of config.ports) this.#checkHolder(port, [containerId, from]);
    const last = this.#attached.find(containerId, config.network);
    // The same endpoint under another name.
    if (last !== undefined && last.config.id !== id) this.disconnect(containerId, config.network);
    const before = firewall?.wanted.get(endpointOwner(id)) ?? [];
    try {
      const { created, ...pair } = this.#connect(config, network, sandbox, firewall);
      this.#inside.made(containerId, created ? madeFacts(config, network, pair.inside) : null);
      try {
        this.#publish(config, network, firewall, { from, created });
      } catch (error) {
        if (created) this.#endpoints.disconnect(id);
        throw error;
      }
      this.#remember(config, network, pair);
    } catch (error) {
      this.#takeRightsBack(id, before, firewall);
      throw error;
    }
  }

  /** Where that fails as well, the next observation finds rules without an endpoint and they are removed then. */
  #takeRightsBack(id: EndpointId, before: readonly Element[], firewall: Firewall | null): void {
    try {
      firewall?.set(endpointOwner(id), before);
    } catch {
      // The first error says more.
    }
  }

  /** Its rights are there before its first packet. */
  #connect(
    config: BridgeEndpoint,
    network: BridgeNetwork,
    sandbox: Sandbox,
    firewall: Firewall | null,
  ): ReturnType<EndpointLinks['connect']> {
    const { id } = config;
    if (firewall !== null && this.#endpoints.find(id) === null) {
      const ports = (firewall.wanted.get(endpointOwner(id)) ?? []).filter(isPort);
      firewall.set(endpointOwner(id), [...ports, ...this.#rightsOf(config, network, null)]);
    }
    return this.#endpoints.connect(config, network, sandbox);
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
    const config = bridgeEndpoint(wanted, this.#names);
    checkEndpoint(config, network);
    return { config, network, sandbox };
  }

  #remember(config: BridgeEndpoint, network: BridgeNetwork, { index, inside }: PairIndexes): void {
    if (!network.foreign) this.#shield.put(index);
    this.#ports.set(config.id, config.ports);
    const wanted = wantedInside(config, network, inside);
    this.#inside.want(config.containerId, config.id, wanted.facts);
    this.#attached.remember({ config, foreign: network.foreign, link: index, inside: wanted });
  }

  interfaces(containerId: string, network: string): { readonly host: string; readonly container: string } {
    const config = this.#attached.find(containerId, network)?.config;
    return {
      host: config?.host ?? this.#names.veth(containerId),
      container: config?.interfaceName ?? CONTAINER_INTERFACE,
    };
  }

  withdraw(containerId: string): void {
    const firewall = this.#firewall();
    const ids = this.#idsOf(containerId);
    collectErrors(
      `withdraw the ports of container ${containerId}`,
      ids.flatMap((id) => [
        () => this.#forwarders.set(id, []),
        () => firewall?.set(endpointOwner(id), this.#linksOf(id, firewall)),
      ]),
    );
    for (const id of ids) this.#ports.set(id, []);
    this.#attached.withoutPorts(containerId);
  }

  disconnect(containerId: string, network: string): void {
    const attached = this.#attached.find(containerId, network);
    if (attached === undefined) return;
    const firewall = this.#firewall();
    const { id } = attached.config;
    collectErrors(`disconnect container ${containerId} from ${network}`, [
      () => this.#moves.leave(attached.config.host),
      () => this.#forwarders.set(id, []),
      () => this.#forgetInside(attached),
      () => this.#endpoints.disconnect(id),
      // Its rules keep others from it as long as it is there.
      () => firewall?.set(endpointOwner(id), []),
    ]);
    this.#forget(id);
    this.#inside.made(containerId, null);
  }

  detach(containerId: string): void {
    const ids = this.#idsOf(containerId);
    const firewall = this.#firewallFor(ids.some((id) => this.#endpoints.find(id) !== null));
    const held = this.#sandboxes.get(containerId) !== null;
    collectErrors(
      `detach container ${containerId}`,
      ids.flatMap((id) => [
        () => this.#moves.leave(this.#names.veth(id)),
        () => this.#forwarders.set(id, []),
        () => firewall?.set(endpointOwner(id), []),
        // A namespace, which is released next, takes its interfaces with it when its last user lets go, without the tens of
        // milliseconds that RTM_DELLINK waits for; only a pair without a namespace of ours has to be deleted.
        () => (held ? this.#attached.leave(id) : this.#endpoints.disconnect(id)),
      ]),
    );
    for (const id of ids) this.#forget(id);
  }

  #forget(id: EndpointId): void {
    this.#ports.set(id, []);
    this.#inside.want(containerOf(id), id, []);
    this.#attached.forget(id);
  }

  /** What an endpoint leaves behind in a sandbox that stays. */
  #forgetInside({ config, inside }: Attached): void {
    const network = this.#networks.get(config.network);
    const sandbox = this.#sandboxes.get(config.containerId);
    if (network && sandbox) this.#endpoints.forgetInside(config, network, inside.link, sandbox);
  }

  /** The endpoints of a container: those attached, or what an earlier supervisor left of it. */
  #idsOf(containerId: string): EndpointId[] {
    const attached = this.#attached.of(containerId).map(({ config }) => config.id);
    if (attached.length > 0) return attached;
    const owners = [...(this.#firewallFor(false)?.wanted.keys() ?? [])].flatMap((owner) =>
      owner.startsWith('endpoint:') ? [owner.slice('endpoint:'.length)] : [],
    );
    const ruled = owners.filter((id) => containerOf(id) === containerId);
    return [...new Set([containerId, ...ruled, ...this.#endpoints.endpointsOf(containerId)])];
  }

  observe(): ObservedNetworks {
    const firewall = this.#firewallFor(false);
    const host = this.#links.look();
    const links = this.#topLinks(host);
    const table = firewall?.read() ?? null;
    const rules = this.#rulesComplete(firewall, table) && this.#forwards();
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
    const options = this.#publishOptions(null);
    for (const address of boundAddresses(port.hostIp, options)) {
      const wanted = { address, port: port.hostPort, protocol: port.protocol };
      const fd = bindSocket(wanted);
      // A kernel without sockets of SCTP has no program that holds a port of it.
      if (port.protocol === 'sctp' && NO_SCTP.includes(-fd)) continue;
      if (fd < 0) throw bindError(wanted, -fd);
      closeSync(fd);
    }
  }

  giveBack(): readonly string[] {
    const firewall = this.#firewallFor(false);
    this.#forwarders.close();
    this.#movesOf(firewall)?.removeAll();
    const stays = giveBack({ names: this.#names, bridges: this.#bridges, settings: this.#settings, firewall });
    this.#networks.clear();
    this.#view.forget();
    return stays;
  }

  close(): void {
    this.#forwarders.close();
    this.#inside.close();
    this.#shield.close();
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

  #movesOf(firewall: Firewall | null): Moves | null {
    if (firewall === null) return null;
    this.#knownMoves ??= new Moves(this.#names, (step, commands) => firewall.run(step, commands));
    return this.#knownMoves;
  }

  #rulesComplete(firewall: Firewall | null, table: ReadTable | null): boolean {
    if (firewall === null) return !this.#options.iptables || this.#networks.size === 0;
    return firewall.wanted.size === 0 || isComplete(table, withoutPorts(firewall.wanted));
  }

  /** @param network null where it is not known */
  #publishOptions(network: BridgeNetwork | null): PublishOptions {
    const routed = { ipv4: network?.gatewayMode4 === 'routed', ipv6: network?.gatewayMode6 === 'routed' };
    return { rules: this.#options.iptables, foreign: network?.foreign ?? false, ipv6: this.#ipv6, routed };
  }

  /** Listeners first: they may find the port taken. When the rules fail, they are put back. */
  #publish(
    config: BridgeEndpoint,
    network: BridgeNetwork,
    firewall: Firewall | null,
    { from, created }: { readonly from: string | null; readonly created: boolean },
  ): void {
    const { id } = config;
    const options = this.#publishOptions(network);
    for (const port of config.ports) checkSctp(port, publish({ ...config, ports: [port] }, options));
    const { elements, listeners } = publish(config, options);
    const wanted = [...elements, ...this.#rightsOf(config, network, firewall)];
    const changes = new Map([[endpointOwner(id), wanted]]);
    const before = this.#forwarders.listenersOf(id);
    const givers = from === null ? [] : this.#idsOf(from);
    const held = givers.map((giver) => ({ giver, listeners: this.#forwarders.listenersOf(giver) }));
    for (const giver of givers) changes.set(endpointOwner(giver), withoutThose(this.#linksOf(giver, firewall), wanted));
    this.#forwarders.handOver(givers, id, listeners);
    // What it has since just now is there.
    const isDone = created && from === null && firewall?.holds(endpointOwner(id), wanted);
    try {
      if (isDone !== true) firewall?.setAll(changes);
    } catch (error) {
      for (const { giver, listeners: given } of held) this.#forwarders.handOver([id], giver, given);
      this.#forwarders.set(id, before);
      throw error;
    }
  }

  /**
   * Whom an endpoint may reach, and by which addresses. One that runs since a version that did not keep containers of an
   * open network to theirs is left as it is until its next start.
   * @param running holds the rules it runs by; null when it does not run yet
   */
  #rightsOf(config: BridgeEndpoint, network: BridgeNetwork, running: Firewall | null): Element[] {
    const { host } = config;
    const held = running?.wanted.get(endpointOwner(config.id)) ?? [];
    const isAdopted = held.some(({ set }) => set === 'unfenced') || (running?.tookOverEarlier && !isFenced(held));
    const reach = reachElements(config, network);
    if (network.icc && network.spoofing) return reach;
    if (isAdopted && network.icc) return [...reach, unfenced(host)];
    return [...reach, ...fenceElements(config, host, this.#moves.addressesOf(host))];
  }

  /** What an endpoint keeps when its ports go: the ways to its links. */
  #linksOf(id: EndpointId, firewall: Firewall | null): Element[] {
    return [...(firewall?.wanted.get(endpointOwner(id)) ?? [])].filter((element) => !isPort(element));
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

  /** Whether the host passes on what our networks need passed on. */
  #forwards(): boolean {
    if (!this.#options.ipForward) return true;
    const outer = [...this.#networks.values()].filter(({ internal }) => !internal);
    const needed = (['ipv4', 'ipv6'] as const).filter((family) => outer.some((network) => network[family] !== null));
    const present = needed.length === 0 ? null : readForwarding();
    return needed.every((family) => present?.[family] !== false);
  }

  #forward({ ipv4, ipv6 }: BridgeNetwork): void {
    if (!this.#options.ipForward) return;
    if (ipv4 !== null) this.#settings.change(FORWARDING.ipv4, '1');
    if (ipv6 !== null) this.#settings.forwardIpv6(listTopLinks(this.#bridges.socket).map(({ name }) => name));
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
