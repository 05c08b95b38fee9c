import type { HostPort } from '../../../model/kinds/short-forms.ts';
import type { Fingerprint, Instance, OriginalSettings } from '../../contract/driver.ts';
import type {
  EndpointConfig,
  NetworkConfig,
  NetworkConnections,
  NetworkDriver,
  ObservedNetworks,
  PublishedPort,
} from '../../contract/network.ts';
import type { RelaySockets } from '../relay-sockets.ts';
import { SandboxView } from '../sandbox-view.ts';
import type { Sandboxes } from '../sandboxes.ts';
import { AddressMoves, bridgeCapabilities } from './address-moves.ts';
import { BridgeLinks } from './bridge-links.ts';
import { BridgeNetworks } from './bridge-networks.ts';
import { Attachments } from './endpoints/attachments.ts';
import { EndpointLinks } from './endpoints/endpoint-links.ts';
import { EndpointView } from './endpoints/endpoint-view.ts';
import { Endpoints } from './endpoints/endpoints.ts';
import { fingerprintBridge } from './fingerprint.ts';
import { giveBack } from './give-back.ts';
import { HostLinks } from './host-links.ts';
import { HostSettings } from './host-settings.ts';
import { HostTraffic } from './host-traffic.ts';
import { LoopbackShield } from './loopback-shield.ts';
import { containerOf, Names } from './names.ts';
import { Publisher } from './publisher.ts';
import { Rules } from './rules.ts';

export interface BridgeDriverOptions {
  readonly instance: Instance;
  /** False: no packet filter is touched (--iptables=false). All ports are then relayed. */
  readonly iptables: boolean;
  /** Forwarding is switched on where it is off; without, containers do with what they get (--ip-forward). */
  readonly ipForward: boolean;
  readonly originals: OriginalSettings;
  readonly sandboxes: Sandboxes;
  readonly relays: RelaySockets;
}

/** Bridges, veth pairs and nftables rules; see the comments of ruleset.ts. */
export function createBridgeDriver(options: BridgeDriverOptions): NetworkDriver {
  return new BridgeDriver(options);
}

/** What a caller asks for goes to the part whose job it is. */
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
  readonly #traffic: HostTraffic;
  readonly #inside: SandboxView;
  readonly #publisher: Publisher;
  readonly #rules: Rules;
  readonly #networks: BridgeNetworks;
  readonly #endpoints: Endpoints;
  readonly #view: EndpointView;

  constructor(options: BridgeDriverOptions) {
    const { sandboxes, iptables, ipForward } = options;
    this.#options = options;
    const names = new Names(options.instance.id);
    this.#names = names;
    this.#settings = new HostSettings(options.originals);
    this.#bridges = new BridgeLinks(names, this.#settings);
    this.#links = new HostLinks(this.#bridges.socket);
    this.#shield = new LoopbackShield(names, this.#bridges.socket);
    this.#traffic = new HostTraffic(this.#bridges.socket);
    this.#inside = new SandboxView(sandboxes);
    const publisher = new Publisher(iptables, options.relays);
    this.#publisher = publisher;
    const rules = new Rules({ names, isOn: iptables, opened: (wanted) => publisher.ports.load(wanted) });
    this.#rules = rules;
    this.#networks = new BridgeNetworks({ names, bridges: this.#bridges, settings: this.#settings, rules, ipForward });
    const networks = this.#networks.known;
    const links = new EndpointLinks(names, this.#bridges.socket);
    const attached = new Attachments();
    const moves = new AddressMoves({
      sandboxes,
      moves: () => rules.movesOf(rules.openFor(false)),
      linkOf: ({ host }) => host,
      containerOf: (link) => {
        const endpoint = links.endpointOfNamed(link);
        return endpoint && containerOf(endpoint);
      },
    });
    const shared = { links, networks, attached, traffic: this.#traffic };
    this.#endpoints = new Endpoints({
      ...shared,
      names,
      sandboxes,
      inside: this.#inside,
      shield: this.#shield,
      rules,
      publisher,
      moves,
    });
    this.capabilities = bridgeCapabilities(iptables, names);
    this.#view = new EndpointView({
      ...shared,
      sandboxes: this.#inside,
      forwarders: publisher.forwarders,
      publishOptions: (network) => publisher.options(network),
    });
  }

  fingerprint(): Fingerprint {
    return fingerprintBridge(this.#options, this.#names, this.#shield.problem);
  }

  ensureNetwork(config: NetworkConfig): void {
    try {
      this.#networks.ensure(config);
    } finally {
      this.#view.forget();
    }
  }

  removeNetwork(key: string): void {
    try {
      this.#networks.remove(key);
    } finally {
      this.#view.forget();
    }
  }

  attach(config: EndpointConfig): void {
    this.#endpoints.attach(config);
  }

  handOver(from: string, to: EndpointConfig): void {
    this.#endpoints.handOver(from, to);
  }

  resume(endpoint: EndpointConfig): void {
    this.#endpoints.resume(endpoint);
  }

  interfaces(containerId: string, network: string): { readonly host: string; readonly container: string } {
    return this.#endpoints.interfaces(containerId, network);
  }

  withdraw(containerId: string, only?: readonly HostPort[]): void {
    this.#endpoints.withdraw(containerId, only);
  }

  disconnect(containerId: string, network: string, interfaceName: string | null): void {
    this.#endpoints.disconnect(containerId, network, interfaceName);
  }

  detach(containerId: string): void {
    this.#endpoints.detach(containerId);
  }

  observe(): ObservedNetworks {
    const firewall = this.#rules.openFor(false);
    const host = this.#links.look();
    const links = this.#networks.topLinks(host);
    const table = firewall?.read() ?? null;
    return {
      networks: this.#networks.observe(host, links, firewall, table),
      endpoints: this.#view.look(links, host.plugged, table),
    };
  }

  checkPort(port: PublishedPort, containerId: string | null): void {
    // Who has ports since an earlier supervisor is known then.
    this.#rules.open();
    this.#publisher.checkPort(port, [containerId]);
  }

  giveBack(): readonly string[] {
    const firewall = this.#rules.openFor(false);
    this.#publisher.forwarders.clear();
    this.#rules.movesOf(firewall)?.removeAll();
    const stays = giveBack({ names: this.#names, bridges: this.#bridges, settings: this.#settings, firewall });
    this.#networks.forget();
    this.#view.forget();
    return stays;
  }

  close(): void {
    this.#inside.close();
    this.#shield.close();
    this.#traffic.close();
    this.#networks.close();
    this.#links.close();
    this.#bridges.close();
    this.#rules.close();
  }
}
