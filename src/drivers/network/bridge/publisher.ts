/** Publishes the ports of endpoints: by elements of the rules, by listeners, and for none that another container holds. */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { tracksSctp } from '../../../ffi/network/tracked-protocols.ts';
import { PortHeldError } from '../../../model/errors/port-held-error.ts';
import { beforePort } from '../../../model/networks/host-addresses.ts';
import type { PublishedPort } from '../../contract/network.ts';
import { bindSocket } from '../bound-socket.ts';
import type { RelaySockets } from '../relay-sockets.ts';
import type { BridgeEndpoint } from './endpoints/bridge-endpoint.ts';
import { linksOf } from './endpoints/endpoint-rights.ts';
import type { Firewall } from './firewall/firewall.ts';
import { type Element, endpointOwner, type Owner, withoutThose } from './firewall/ruleset.ts';
import { bindError, Forwarders } from './forwarders/forwarders.ts';
import { hasIpv6 } from './link-local.ts';
import type { EndpointId } from './names.ts';
import type { BridgeNetwork } from './network-options.ts';
import { boundAddresses, checkSctp, type PublishOptions, publish } from './publication.ts';
import { PublishedPorts } from './published-ports.ts';
import { checkPublishedPort } from './validate.ts';

const NO_SCTP: readonly number[] = [constants.errno.EPROTONOSUPPORT, 94];

export interface Publishing {
  readonly config: BridgeEndpoint;
  readonly network: BridgeNetwork;
  readonly firewall: Firewall | null;
  /** What the endpoint has beside its ports. */
  readonly rights: readonly Element[];
  /** Endpoints that give their ports to it. */
  readonly givers: readonly EndpointId[];
  /** Its interface was made just now. */
  readonly created: boolean;
}

export class Publisher {
  readonly forwarders: Forwarders;
  /** Host ports and who has them. */
  readonly ports = new PublishedPorts();
  readonly #rules: boolean;
  readonly #relays: RelaySockets;
  readonly #ipv6 = hasIpv6();

  /** @param rules false: no packet filter (--iptables=false) */
  constructor(rules: boolean, relays: RelaySockets) {
    this.#rules = rules;
    this.#relays = relays;
    this.forwarders = new Forwarders(relays);
  }

  /** @param network null where it is not known */
  options(network: BridgeNetwork | null): PublishOptions {
    const routed = { ipv4: network?.gatewayMode4 === 'routed', ipv6: network?.gatewayMode6 === 'routed' };
    return { rules: this.#rules, foreign: network?.foreign ?? false, ipv6: this.#ipv6, routed };
  }

  /** Listeners first: they may find the port taken. When the rules fail, they are put back. */
  publish({ config, network, firewall, rights, givers, created }: Publishing): void {
    const { id } = config;
    const options = this.options(network);
    for (const port of config.ports) {
      checkSctp(port, publish({ ...config, ports: [port] }, options), tracksSctp());
    }
    const { elements, listeners } = publish(config, options);
    const wanted = [...elements, ...rights];
    const changes = new Map<Owner, readonly Element[]>([[endpointOwner(id), wanted]]);
    const before = this.forwarders.listenersOf(id);
    const held = givers.map((giver) => ({ giver, listeners: this.forwarders.listenersOf(giver) }));
    for (const giver of givers) changes.set(endpointOwner(giver), withoutThose(linksOf(giver, firewall), wanted));
    this.forwarders.handOver(givers, id, listeners);
    // What it has since just now is there.
    const isDone = created && givers.length === 0 && firewall?.holds(endpointOwner(id), wanted);
    try {
      if (isDone !== true) firewall?.setAll(changes);
    } catch (error) {
      for (const { giver, listeners: given } of held) this.forwarders.handOver([id], giver, given);
      this.forwarders.set(id, before);
      throw error;
    }
  }

  /** By a real bind(2). @param own containers that may have it */
  checkPort(port: PublishedPort, own: readonly (string | null)[]): void {
    checkPublishedPort(port);
    this.checkHolder(port, own);
    for (const address of boundAddresses(port.hostIp, this.options(null))) {
      const wanted = { address, port: port.hostPort, protocol: port.protocol };
      const fd = bindSocket(wanted);
      // A kernel without sockets of SCTP has no program that holds a port of it.
      if (port.protocol === 'sctp' && NO_SCTP.includes(-fd)) continue;
      // A relay that goes: others of ours were looked at above.
      if (fd === -constants.errno.EADDRINUSE && this.#relays.mayHold(wanted)) continue;
      if (fd < 0) throw bindError(wanted, -fd);
      closeSync(fd);
    }
  }

  /** @throws TsdError TSD_PORT_IN_USE when a container that is none of these has it. */
  checkHolder(port: PublishedPort, own: readonly (string | null)[]): void {
    const holder = this.ports.holder(port, own);
    if (holder === null) return;
    throw new PortHeldError(`${beforePort(port.hostIp)}:${port.hostPort}/${port.protocol}`, holder);
  }
}
