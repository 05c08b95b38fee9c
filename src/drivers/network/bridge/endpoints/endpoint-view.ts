/** The endpoints of containers as the kernel has them; only those that changed are rebuilt. */
import type { Link, PluggedLink } from '../../../../ffi/network/links.ts';
import type { ObservedEndpoint, PublishedPort } from '../../../contract/network.ts';
import type { SandboxView } from '../../sandbox-view.ts';
import type { ReadTable } from '../firewall/read-table.ts';
import { endpointOwner } from '../firewall/ruleset.ts';
import type { Forwarders } from '../forwarders/forwarders.ts';
import type { HostTraffic } from '../host-traffic.ts';
import { containerOf, type EndpointId } from '../names.ts';
import type { BridgeNetwork } from '../network-options.ts';
import {
  addressesOfElements,
  effectivePorts,
  endpointDrift,
  insideDrift,
  portsOfElements,
  type SeenEndpoint,
  UNCONNECTED,
} from '../observe.ts';
import { type PublishOptions, publish } from '../publication.ts';
import type { Attachments } from './attachments.ts';
import type { EndpointLinks } from './endpoint-links.ts';

export interface EndpointViewParts {
  readonly links: EndpointLinks;
  readonly sandboxes: SandboxView;
  readonly forwarders: Forwarders;
  readonly traffic: HostTraffic;
  readonly attached: Attachments;
  readonly networks: ReadonlyMap<string, BridgeNetwork>;
  publishOptions(network: BridgeNetwork | null): PublishOptions;
}

interface Endpoints {
  readonly seen: Map<EndpointId, SeenEndpoint>;
  /** By container. */
  readonly ids: ReadonlyMap<string, readonly EndpointId[]>;
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
    const { sandboxes, forwarders, attached, traffic } = this.#parts;
    // Should the look fail halfway, what it found until then must not be passed over by the next one.
    const last = this.#last;
    this.#last = null;
    const changed = sandboxes.look();
    traffic.look();
    const from = [links, plugged, table, sandboxes.version, forwarders.version, attached.version, traffic.version];
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

  #lookInto(containerId: string, { seen, ids, endpoints }: Endpoints): void {
    const own = ids.get(containerId) ?? [];
    for (const id of own) {
      const before = seen.get(id);
      // Without an end on the host's side nothing inside counts.
      if (before?.hostInterface) seen.set(id, { ...before, inside: this.#insideDrift(id) });
    }
    if (own.length > 0) endpoints.set(containerId, this.#shown(own, seen));
  }

  #shown(ids: readonly EndpointId[], seen: ReadonlyMap<EndpointId, SeenEndpoint>): ObservedEndpoint[] {
    const { attached, networks } = this.#parts;
    return ids.map((id) => {
      const endpoint = seen.get(id) ?? { ...UNCONNECTED, id };
      const network = attached.get(id)?.config.network ?? null;
      const bridge = network === null ? null : (networks.get(network)?.bridge ?? null);
      return {
        containerId: containerOf(id),
        network,
        connected: endpoint.hostInterface !== null,
        drift: endpointDrift(endpoint, bridge),
        ports: endpoint.ports,
      };
    });
  }

  #put(links: readonly Link[], plugged: readonly PluggedLink[], table: ReadTable | null): Endpoints {
    const { attached, links: ends, traffic } = this.#parts;
    const names = new Map(links.map((link) => [link.index, link.name]));
    const seen = new Map<EndpointId, SeenEndpoint>();
    const add = (link: PluggedLink, id: EndpointId | null): void => {
      if (id === null || attached.isLeaving(id)) return;
      seen.set(id, {
        id,
        hostInterface: link.name,
        bridge: names.get(link.master) ?? null,
        up: link.up,
        traffic: traffic.lacking(link.index),
        inside: this.#insideDrift(id),
        ports: this.#effectivePorts(id, table),
      });
    };
    for (const link of links) add(link, ends.endpointOf(link));
    for (const link of plugged) add(link, attached.at(link.index) ?? ends.endpointOfNamed(link.name));
    for (const owner of table?.owned.keys() ?? []) {
      const id = owner.startsWith('endpoint:') ? owner.slice('endpoint:'.length) : null;
      if (id === null || seen.has(id)) continue;
      seen.set(id, { ...UNCONNECTED, id, ports: this.#effectivePorts(id, table) });
    }
    for (const id of attached.ids()) if (!seen.has(id)) seen.set(id, { ...UNCONNECTED, id });
    const ids = new Map<string, EndpointId[]>();
    for (const id of seen.keys()) {
      const own = ids.get(containerOf(id));
      if (own) own.push(id);
      else ids.set(containerOf(id), [id]);
    }
    const endpoints = new Map([...ids].map(([containerId, own]) => [containerId, this.#shown(own, seen)]));
    return { seen, ids, endpoints };
  }

  #insideDrift(id: EndpointId): string[] {
    const { attached, sandboxes } = this.#parts;
    const containerId = containerOf(id);
    const wanted = attached.get(id)?.inside;
    if (wanted === undefined) return [];
    return insideDrift({ addresses: sandboxes.addresses(containerId), facts: sandboxes.facts(containerId) }, wanted);
  }

  #effectivePorts(id: EndpointId, table: ReadTable | null): PublishedPort[] {
    const { attached: attachments, forwarders, networks, publishOptions } = this.#parts;
    const attached = attachments.get(id);
    if (attached?.config.ports.length === 0) return [];
    const elements = table?.owned.get(endpointOwner(id)) ?? [];
    const ports = attached?.config.ports ?? portsOfElements(elements);
    const { ipv4, ipv6 } = attached?.config ?? addressesOfElements(elements);
    if (ports.length === 0 || (ipv4 === null && ipv6 === null)) return [];
    const options = publishOptions(networks.get(attached?.config.network ?? '') ?? null);
    const listeners = forwarders.listenersOf(id);
    return effectivePorts(ports, (port) => publish({ ipv4, ipv6, ports: [port] }, options), { elements, listeners });
  }
}
