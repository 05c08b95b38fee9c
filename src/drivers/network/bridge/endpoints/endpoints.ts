/** Endpoints come, change and go: a pair of interfaces, its rights and its ports, in the order that is safe for others. */
import { TsdError } from '../../../../model/errors/errors.ts';
import { type HostPort, isAmong } from '../../../../model/kinds/short-forms.ts';
import { networkName } from '../../../../model/networks/network-name.ts';
import type { EndpointConfig, Sandbox } from '../../../contract/network.ts';
import { collectErrors } from '../../collect-errors.ts';
import type { SandboxView } from '../../sandbox-view.ts';
import type { Sandboxes } from '../../sandboxes.ts';
import type { AddressMoves } from '../address-moves.ts';
import type { Firewall } from '../firewall/firewall.ts';
import { type Element, endpointOwner, isPort } from '../firewall/ruleset.ts';
import type { HostTraffic } from '../host-traffic.ts';
import { wantedInside } from '../inside.ts';
import type { LoopbackShield } from '../loopback-shield.ts';
import { CONTAINER_INTERFACE, containerOf, type EndpointId, endpointId, type Names } from '../names.ts';
import type { BridgeNetwork } from '../network-options.ts';
import { publish } from '../publication.ts';
import type { Publisher } from '../publisher.ts';
import type { Rules } from '../rules.ts';
import { checkEndpoint } from '../validate.ts';
import type { Attached, Attachments } from './attachments.ts';
import { type BridgeEndpoint, bridgeEndpoint } from './bridge-endpoint.ts';
import type { EndpointLinks, PairIndexes } from './endpoint-links.ts';
import { linksOf, rightsOf } from './endpoint-rights.ts';
import { requireRoom } from './room.ts';
import { shapeOf } from './shapes.ts';

export interface EndpointsParts {
  readonly names: Names;
  readonly networks: ReadonlyMap<string, BridgeNetwork>;
  readonly sandboxes: Sandboxes;
  readonly inside: SandboxView;
  readonly links: EndpointLinks;
  readonly shield: LoopbackShield;
  readonly traffic: HostTraffic;
  readonly rules: Rules;
  readonly publisher: Publisher;
  readonly moves: AddressMoves;
  readonly attached: Attachments;
}

/** What an endpoint is between. */
interface Place {
  readonly config: BridgeEndpoint;
  readonly network: BridgeNetwork;
  readonly sandbox: Sandbox;
}

export class Endpoints {
  readonly #parts: EndpointsParts;

  constructor(parts: EndpointsParts) {
    this.#parts = parts;
  }

  /** @param from the container that has the ports until then; null for none */
  attach(wanted: EndpointConfig, from: string | null = null): void {
    const { rules, publisher, attached, inside } = this.#parts;
    const { config, network, sandbox } = this.#place(wanted);
    const firewall = rules.open();
    const { id, containerId } = config;
    if (attached.get(id) === undefined) requireRoom(network, attached.countOn(network.key));
    for (const port of config.ports) publisher.checkHolder(port, [containerId, from]);
    const last = attached.find(containerId, config.network);
    // The same endpoint under another name.
    if (last !== undefined && last.config.id !== id)
      this.disconnect(containerId, config.network, last.config.interfaceName);
    const before = firewall?.wanted.get(endpointOwner(id)) ?? [];
    try {
      const { created, ...pair } = this.#connect({ config, network, sandbox }, firewall, from);
      inside.made(containerId, created ? wantedInside(config, network, pair.inside).facts : null);
      try {
        const givers = from === null ? [] : this.#idsOf(from);
        const rights = rightsOf(config, network, this.#parts.moves, null);
        publisher.publish({ config, network, firewall, rights, givers, created });
      } catch (error) {
        if (created) this.#parts.links.disconnect(id);
        throw error;
      }
      this.#remember(config, network, pair);
    } catch (error) {
      takeRightsBack(id, before, firewall);
      throw error;
    }
  }

  handOver(from: string, to: EndpointConfig): void {
    const { moves, attached, publisher } = this.#parts;
    const { config, network } = this.#place(to);
    const moving = moves.begin(attached.find(from, to.network)?.config, config, network);
    try {
      this.attach(to, from);
    } catch (error) {
      if (moving !== null) moves.giveUp(moving);
      throw error;
    }
    if (moving !== null) moves.complete(moving);
    else moves.announceAlone(config);
    for (const id of this.#idsOf(from)) {
      publisher.ports.set(id, []);
      attached.setPorts(id, []);
    }
  }

  resume(endpoint: EndpointConfig): void {
    const { links, rules, publisher, moves } = this.#parts;
    const pair = links.find(endpointId(endpoint.containerId, endpoint.interfaceName));
    if (pair === null) {
      this.attach(endpoint);
      return;
    }
    const { config, network } = this.#place(endpoint);
    const { elements, listeners } = publish(config, publisher.options(network));
    const firewall = rules.open();
    const wanted = [...elements, ...rightsOf(config, network, moves, firewall)];
    publisher.forwarders.set(config.id, listeners);
    if (firewall?.holds(endpointOwner(config.id), wanted) === false) firewall.set(endpointOwner(config.id), wanted);
    this.#remember(config, network, pair);
    moves.settle(config.host);
  }

  interfaces(containerId: string, network: string): { readonly host: string; readonly container: string } {
    const config = this.#parts.attached.find(containerId, network)?.config;
    return {
      host: config?.host ?? this.#parts.names.veth(containerId),
      container: config?.interfaceName ?? CONTAINER_INTERFACE,
    };
  }

  withdraw(containerId: string, only?: readonly HostPort[]): void {
    const { rules, publisher, attached, networks } = this.#parts;
    const firewall = rules.open();
    const kept = this.#idsOf(containerId).map((id) => {
      const config = attached.get(id)?.config;
      const ports = (config?.ports ?? []).filter((port) => only !== undefined && !isAmong(only, port));
      const network = networks.get(config?.network ?? '') ?? null;
      const stays = config && publish({ ...config, ports }, publisher.options(network));
      return { id, ports, listeners: stays?.listeners ?? [], elements: stays?.elements ?? [] };
    });
    collectErrors(
      `withdraw the ports of container ${containerId}`,
      kept.flatMap(({ id, listeners, elements }) => [
        () => publisher.forwarders.set(id, listeners),
        () => firewall?.set(endpointOwner(id), [...elements, ...linksOf(id, firewall)]),
      ]),
    );
    for (const { id, ports } of kept) {
      publisher.ports.set(id, ports);
      attached.setPorts(id, ports);
    }
  }

  disconnect(containerId: string, network: string, interfaceName: string | null): void {
    const { names, rules, publisher, moves, links, inside } = this.#parts;
    const attached = this.#parts.attached.find(containerId, network);
    const id = attached?.config.id ?? (interfaceName === null ? null : endpointId(containerId, interfaceName));
    if (id === null || (attached === undefined && !this.#isLeft(id))) return;
    const firewall = rules.open();
    collectErrors(`disconnect container ${containerId} from ${networkName(network)}`, [
      () => moves.leave(names.veth(id)),
      () => publisher.forwarders.set(id, []),
      () => attached && this.#forgetInside(attached),
      () => links.disconnect(id),
      // Its rules keep others from it as long as it is there.
      () => firewall?.set(endpointOwner(id), []),
    ]);
    this.#forget(id);
    inside.made(containerId, null);
  }

  detach(containerId: string): void {
    const { names, rules, publisher, moves, links, sandboxes, attached } = this.#parts;
    const ids = this.#idsOf(containerId);
    const firewall = rules.openFor(ids.some((id) => links.find(id) !== null));
    const held = sandboxes.get(containerId) !== null;
    collectErrors(
      `detach container ${containerId}`,
      ids.flatMap((id) => [
        () => moves.leave(names.veth(id)),
        () => publisher.forwarders.set(id, []),
        () => firewall?.set(endpointOwner(id), []),
        // A namespace, which is released next, takes its interfaces with it when its last user lets go, without the tens of
        // milliseconds that RTM_DELLINK waits for; only a pair without a namespace of ours has to be deleted.
        () => (held ? attached.leave(id) : links.disconnect(id)),
      ]),
    );
    for (const id of ids) this.#forget(id);
  }

  /**
   * Its rights are there before its first packet, and in the same transaction its ports, unless another container gives them:
   * a transaction takes the kernel more than all else of an endpoint.
   */
  #connect(
    { config, network, sandbox }: Place,
    firewall: Firewall | null,
    from: string | null,
  ): ReturnType<EndpointLinks['connect']> {
    const { links, moves, publisher } = this.#parts;
    const owner = endpointOwner(config.id);
    if (firewall !== null && links.find(config.id) === null) {
      const held = (firewall.wanted.get(owner) ?? []).filter(isPort);
      const ports = from === null ? publish(config, publisher.options(network)).elements : held;
      firewall.set(owner, [...ports, ...rightsOf(config, network, moves, null)]);
    }
    return links.connect(config, network, sandbox);
  }

  /** @throws TsdError TSD_NETWORK, precondition, when network or sandbox is not there. */
  #place(wanted: EndpointConfig): Place {
    const { names, networks, sandboxes } = this.#parts;
    const network = networks.get(wanted.network);
    const sandbox = sandboxes.get(wanted.containerId);
    if (network === undefined || sandbox === null) {
      const missing =
        network === undefined ? networkName(wanted.network) : `sandbox of container ${wanted.containerId}`;
      throw new TsdError('TSD_NETWORK', `${missing} does not exist`, { class: 'precondition', step: 'attach' });
    }
    const config = bridgeEndpoint(wanted, names);
    checkEndpoint(config, network);
    return { config, network, sandbox };
  }

  #remember(config: BridgeEndpoint, network: BridgeNetwork, { index, inside: link }: PairIndexes): void {
    const { shield, traffic, publisher, inside, attached } = this.#parts;
    if (!network.foreign) shield.put(index);
    const ingress = config.bandwidth?.ingressBits ?? null;
    traffic.want(index, {
      shape: ingress === null ? null : shapeOf(ingress, network.mtu),
      filter: network.foreign ? null : shield.name,
    });
    publisher.ports.set(config.id, config.ports);
    const wanted = wantedInside(config, network, link);
    inside.want(config.containerId, config.id, wanted.facts);
    attached.remember({ config, foreign: network.foreign, link: index, inside: wanted });
  }

  /** Whether an earlier supervisor attached it, and this one did not take it over. */
  #isLeft(id: EndpointId): boolean {
    const { attached, links } = this.#parts;
    return attached.of(containerOf(id)).every(({ config }) => config.id !== id) && links.find(id) !== null;
  }

  #forget(id: EndpointId): void {
    const { publisher, inside, attached, traffic } = this.#parts;
    const link = attached.get(id)?.link;
    if (link !== undefined) traffic.forget(link);
    publisher.ports.set(id, []);
    inside.want(containerOf(id), id, []);
    attached.forget(id);
  }

  /** What an endpoint leaves behind in a sandbox that stays. */
  #forgetInside({ config, inside }: Attached): void {
    const { networks, sandboxes, links } = this.#parts;
    const network = networks.get(config.network);
    const sandbox = sandboxes.get(config.containerId);
    if (network && sandbox) links.forgetInside(config, network, inside.link, sandbox);
  }

  /** The endpoints of a container: those attached, or what an earlier supervisor left of it. */
  #idsOf(containerId: string): EndpointId[] {
    const { attached: attachments, rules, links } = this.#parts;
    const attached = attachments.of(containerId).map(({ config }) => config.id);
    if (attached.length > 0) return attached;
    const owners = [...(rules.openFor(false)?.wanted.keys() ?? [])].flatMap((owner) =>
      owner.startsWith('endpoint:') ? [owner.slice('endpoint:'.length)] : [],
    );
    const ruled = owners.filter((id) => containerOf(id) === containerId);
    return [...new Set([containerId, ...ruled, ...links.endpointsOf(containerId)])];
  }
}

/** Where that fails as well, the next observation finds rules without an endpoint and they are removed then. */
function takeRightsBack(id: EndpointId, before: readonly Element[], firewall: Firewall | null): void {
  try {
    firewall?.set(endpointOwner(id), before);
  } catch {
    // The first error says more.
  }
}
