/** The networks of this driver: their bridges, their rules, and what the host has to pass on for them. */
import { readForwarding } from '../../../ffi/host/sysinfo.ts';
import { findLink, type Link, listTopLinks } from '../../../ffi/network/links.ts';
import { networkName } from '../../../model/networks/network-name.ts';
import type { NetworkConfig, ObservedNetwork } from '../../contract/network.ts';
import { collectErrors } from '../collect-errors.ts';
import type { BridgeLinks, ObservedBridge } from './bridge-links.ts';
import { BridgeRoutes } from './bridge-routes.ts';
import { networkElements } from './firewall/elements.ts';
import type { Firewall } from './firewall/firewall.ts';
import { NeighbourWatch } from './firewall/neighbour-watch.ts';
import type { ReadTable } from './firewall/read-table.ts';
import type { Owner } from './firewall/ruleset.ts';
import type { HostView } from './host-links.ts';
import { FORWARDING, type HostSettings } from './host-settings.ts';
import type { Names } from './names.ts';
import { type BridgeNetwork, bridgeNetwork } from './network-options.ts';
import { BROKEN, networkDrift } from './observe.ts';
import type { Rules } from './rules.ts';
import { checkNetwork } from './validate.ts';

export interface BridgeNetworksParts {
  readonly names: Names;
  readonly bridges: BridgeLinks;
  readonly settings: HostSettings;
  readonly rules: Rules;
  /** Forwarding is switched on where it is off. */
  readonly ipForward: boolean;
}

const networkOwner = (bridge: string): Owner => `network:${bridge}`;

/** What containers come and go with: such an interface is an uplink only where the default route says so. */
const PASSING: readonly (string | null)[] = ['bridge', 'veth', 'macvlan', 'ipvlan'];

/** @param links without a master */
const uplinksOf = (links: readonly Link[]): string[] =>
  links.flatMap(({ name, kind }) => (name === 'lo' || PASSING.includes(kind) ? [] : [name]));

export class BridgeNetworks {
  readonly #parts: BridgeNetworksParts;
  readonly #known = new Map<string, BridgeNetwork>();
  readonly #routes = new BridgeRoutes();
  readonly #neighbours: NeighbourWatch;

  constructor(parts: BridgeNetworksParts) {
    this.#parts = parts;
    this.#neighbours = new NeighbourWatch(parts.names);
  }

  /** Those established in this process, by key. */
  get known(): ReadonlyMap<string, BridgeNetwork> {
    return this.#known;
  }

  ensure(wanted: NetworkConfig): void {
    const { bridges, rules } = this.#parts;
    const config = bridgeNetwork(wanted);
    checkNetwork(config);
    const firewall = rules.open();
    const close = (): void => firewall?.set(networkOwner(config.bridge), networkElements(config));
    if (config.foreign) {
      bridges.checkForeign(config);
      close();
    } else {
      bridges.ensure(config, close);
    }
    this.#known.set(config.key, config);
    this.#routes.forget();
    if (!config.internal) this.#forward(config);
    if (firewall === null) return;
    firewall.repair();
    this.#syncNeighbour(firewall);
  }

  remove(key: string): void {
    const { bridges, rules } = this.#parts;
    const config = this.#known.get(key);
    const links = bridges.named(key);
    const names = new Set([...links.map(({ name }) => name), ...(config === undefined ? [] : [config.bridge])]);
    const firewall = rules.openFor(names.size > 0);
    collectErrors(`remove ${networkName(key)}`, [
      ...[...names].map((bridge) => () => firewall?.set(networkOwner(bridge), [])),
      ...links.map((link) => () => bridges.remove(link)),
      () => {
        this.#known.delete(key);
        if (firewall !== null) this.#tidy(firewall);
      },
    ]);
  }

  /** All of them are gone. */
  forget(): void {
    this.#known.clear();
    this.#routes.forget();
  }

  close(): void {
    this.#routes.close();
  }

  /** @param links as of {@link topLinks} */
  observe(
    { addresses }: HostView,
    links: readonly Link[],
    firewall: Firewall | null,
    table: ReadTable | null,
  ): Map<string, ObservedNetwork> {
    const bridges = this.#parts.bridges.observe(links, addresses);
    const isWhole = this.#parts.rules.areWhole(firewall, table, this.#known.size > 0);
    const isOpen = firewall === null || this.#neighbours.isOpen(firewall, uplinksOf(links));
    const rules = isWhole && isOpen && this.#forwards();
    const unrouted = this.#routes.lacking(this.#known.values(), links);
    const networks = new Map<string, ObservedNetwork>();
    for (const { key } of bridges) networks.set(key, { found: true, drift: BROKEN });
    const byName = new Map<string, ObservedBridge>(bridges.map((bridge) => [bridge.bridge, bridge]));
    for (const config of this.#known.values()) {
      const bridge = byName.get(config.bridge) ?? null;
      networks.set(config.key, {
        found: networks.has(config.key),
        drift: networkDrift(config, bridge, rules && !unrouted.has(config.bridge)),
      });
    }
    return networks;
  }

  /** Links without a master, and our bridges even where somebody put them into something else. */
  topLinks({ top: links }: HostView): readonly Link[] {
    const names = new Set(links.map(({ name }) => name));
    const missing = [...this.#known.values()].filter(({ bridge }) => !names.has(bridge));
    if (missing.length === 0) return links;
    return [...links, ...missing.flatMap(({ bridge }) => findLink(this.#parts.bridges.socket, bridge) ?? [])];
  }

  /** Whether the host passes on what our networks need passed on. */
  #forwards(): boolean {
    if (!this.#parts.ipForward) return true;
    const outer = [...this.#known.values()].filter(({ internal }) => !internal);
    const needed = (['ipv4', 'ipv6'] as const).filter((family) => outer.some((network) => network[family] !== null));
    const present = needed.length === 0 ? null : readForwarding();
    return needed.every((family) => present?.[family] !== false);
  }

  #forward({ ipv4, ipv6 }: BridgeNetwork): void {
    const { ipForward, settings, bridges } = this.#parts;
    if (!ipForward) return;
    if (ipv4 !== null) settings.change(FORWARDING.ipv4, '1');
    if (ipv6 !== null) settings.forwardIpv6(listTopLinks(bridges.socket).map(({ name }) => name));
  }

  #syncNeighbour(firewall: Firewall): void {
    const bridges = [...firewall.wanted.keys()].flatMap((owner) =>
      owner.startsWith('network:') ? [owner.slice('network:'.length)] : [],
    );
    const passage = { bridges, outward: bridges.length === 0 ? [] : this.#parts.bridges.outward() };
    this.#neighbours.open(firewall, passage);
  }

  /** Removes what a removed network leaves: rules of unused bridges, the neighbour's chain, an empty table. */
  #tidy(firewall: Firewall): void {
    const known = new Set([...this.#known.values()].map(({ bridge }) => networkOwner(bridge)));
    for (const owner of [...firewall.wanted.keys()]) {
      if (!owner.startsWith('network:') || known.has(owner)) continue;
      if (findLink(this.#parts.bridges.socket, owner.slice('network:'.length)) === null) firewall.set(owner, []);
    }
    this.#syncNeighbour(firewall);
    if (firewall.wanted.size === 0) firewall.removeAll();
  }
}
