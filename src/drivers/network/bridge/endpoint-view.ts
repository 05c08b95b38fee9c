/** The endpoints of containers as the kernel has them; only those that changed are rebuilt. */
import type { Link, PluggedLink } from '../../../ffi/network/links.ts';
import type { ObservedEndpoint, PublishedPort } from '../../contract/network.ts';
import type { SandboxView } from '../sandbox-view.ts';
import type { Attachments } from './attachments.ts';
import { destinationsOf, type EndpointLinks } from './endpoint-links.ts';
import { endpointOwner, type ReadTable } from './firewall/ruleset.ts';
import type { Forwarders } from './forwarders/forwarders.ts';
import type { BridgeNetwork } from './network-options.ts';
import {
  addressOfElements,
  effectivePorts,
  endpointDrift,
  portsOfElements,
  type SeenEndpoint,
  UNCONNECTED,
} from './observe.ts';
import { type PublishOptions, publish } from './publication.ts';

export interface EndpointViewParts {
  readonly links: EndpointLinks;
  readonly sandboxes: SandboxView;
  readonly forwarders: Forwarders;
  readonly attached: Attachments;
  readonly networks: ReadonlyMap<string, BridgeNetwork>;
  publishOptions(foreign: boolean): PublishOptions;
}

interface Endpoints {
  readonly seen: Map<string, SeenEndpoint>;
  readonly endpoints: Map<string, readonly ObservedEndpoint[]>;
}

export class EndpointView {
  readonly #parts: EndpointViewParts;
  #last: ({ readonly from: readonly unknown[] } & Endpoints) | null = null;

  constructor(parts: EndpointViewParts) {
    this.#parts = parts;
  }

  /**
   * By container id, for use before the next look. While nothing of any of them changed it is the same map with the same
   * objects; where only what is inside a namespace changed, the map and all other objects are.
   * @param links without a master, which may be ours all the same
   * @param plugged into a bridge
   */
  look(
    links: readonly Link[],
    plugged: readonly PluggedLink[],
    table: ReadTable | null,
  ): ReadonlyMap<string, readonly ObservedEndpoint[]> {
    const { sandboxes, forwarders, attached } = this.#parts;
    // Should the look fail halfway, what it found until then must not be passed over by the next one.
    const last = this.#last;
    this.#last = null;
    const changed = sandboxes.look();
    const from = [links, plugged, table, sandboxes.version, forwarders.version, attached.version];
    if (last?.from.every((part, index) => part === from[index])) {
      for (const containerId of changed) this.#lookInto(containerId, last);
      this.#last = last;
      return last.endpoints;
    }
    const found = this.#put(links, plugged, table);
    this.#last = { from, ...found };
    // Changes what the next look goes by where somebody was leaving.
    attached.lookedAt();
    return found.endpoints;
  }

  /** The networks are others. */
  forget(): void {
    this.#last = null;
  }

  #lookInto(containerId: string, { seen, endpoints }: Endpoints): void {
    const before = seen.get(containerId);
    // Without an end on the host's side nothing inside counts.
    if (!before?.hostInterface) return;
    const addresses = this.#parts.sandboxes.addresses(containerId);
    const now = { ...before, addresses, missingRoutes: this.#missingRoutes(containerId) };
    seen.set(containerId, now);
    endpoints.set(containerId, [this.#shown(now)]);
  }

  #shown(seen: SeenEndpoint): ObservedEndpoint {
    const { attached, networks } = this.#parts;
    const config = attached.get(seen.containerId)?.config;
    const bridge = config && networks.get(config.network)?.bridge;
    const wanted = config && bridge !== undefined ? { bridge, address: config.address } : null;
    const { containerId, ports } = seen;
    return {
      containerId,
      network: config?.network ?? null,
      connected: seen.hostInterface !== null,
      drift: endpointDrift(seen, wanted),
      ports,
    };
  }

  #put(links: readonly Link[], plugged: readonly PluggedLink[], table: ReadTable | null): Endpoints {
    const { attached, sandboxes, links: ends } = this.#parts;
    const names = new Map(links.map((link) => [link.index, link.name]));
    const seen = new Map<string, SeenEndpoint>();
    const add = (link: PluggedLink, containerId: string | null): void => {
      if (containerId === null || attached.isLeaving(containerId)) return;
      seen.set(containerId, {
        containerId,
        hostInterface: link.name,
        bridge: names.get(link.master) ?? null,
        up: link.up,
        addresses: sandboxes.addresses(containerId),
        missingRoutes: this.#missingRoutes(containerId),
        ports: this.#effectivePorts(containerId, table),
      });
    };
    for (const link of links) add(link, ends.containerOf(link));
    for (const link of plugged) add(link, attached.at(link.index) ?? ends.containerOfNamed(link.name));
    for (const owner of table?.owned.keys() ?? []) {
      const containerId = owner.startsWith('endpoint:') ? owner.slice('endpoint:'.length) : null;
      if (containerId === null || seen.has(containerId)) continue;
      seen.set(containerId, { ...UNCONNECTED, containerId, ports: this.#effectivePorts(containerId, table) });
    }
    for (const containerId of attached.ids()) {
      if (!seen.has(containerId)) seen.set(containerId, { ...UNCONNECTED, containerId });
    }
    return { seen, endpoints: new Map([...seen].map(([id, endpoint]) => [id, [this.#shown(endpoint)]])) };
  }

  #missingRoutes(containerId: string): string[] {
    const { networks, attached, sandboxes } = this.#parts;
    const present = sandboxes.routes(containerId);
    const network = networks.get(attached.get(containerId)?.config.network ?? '');
    if (present === null || network === undefined) return [];
    return destinationsOf(network).filter((destination) => !present.has(destination));
  }

  #effectivePorts(containerId: string, table: ReadTable | null): PublishedPort[] {
    const { attached: attachments, forwarders, publishOptions } = this.#parts;
    const attached = attachments.get(containerId);
    if (attached?.config.ports.length === 0) return [];
    const elements = table?.owned.get(endpointOwner(containerId)) ?? [];
    const ports = attached?.config.ports ?? portsOfElements(elements);
    const address = attached?.config.address ?? addressOfElements(elements);
    if (ports.length === 0 || address === null) return [];
    const options = publishOptions(attached?.foreign ?? false);
    const listeners = forwarders.listenersOf(containerId);
    return effectivePorts(ports, (port) => publish({ address, ports: [port] }, options), { elements, listeners });
  }
}
