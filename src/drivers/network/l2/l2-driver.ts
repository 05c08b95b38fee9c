/**
 * Networks whose containers are on an interface of the host, beside it: they reach what is on its wire, and not the host.
 * Nothing of an endpoint is on the host, so that what is seen of it is seen in its sandbox.
 */
import { knowsKind } from '../../../ffi/network/l2-links.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../ffi/network/netlink.ts';
import { bareAddress, containsAddress } from '../../../model/addresses.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { networkName } from '../../../model/networks/network-name.ts';
import type { Fingerprint } from '../../contract/driver.ts';
import type {
  EndpointConfig,
  NetworkConfig,
  NetworkConnections,
  NetworkDriver,
  ObservedNetworks,
  Sandbox,
} from '../../contract/network.ts';
import { collectErrors } from '../collect-errors.ts';
import { checkContainerId } from '../container-id.ts';
import { Marks } from '../marks.ts';
import type { NetworkDriverContext } from '../open.ts';
import { withRouteSocket } from '../route-socket.ts';
import type { Sandboxes } from '../sandboxes.ts';
import { L2Endpoints } from './l2-endpoints.ts';
import { insideOf } from './l2-inside.ts';
import type { L2Kind } from './l2-kind.ts';
import { type L2Network, l2Network } from './l2-network.ts';
import { L2View } from './l2-view.ts';
import { Parents } from './parents.ts';

export class L2Driver implements NetworkDriver, NetworkConnections {
  readonly name: string;
  readonly capabilities;
  readonly connections = this;
  readonly #kind: L2Kind;
  readonly #sandboxes: Sandboxes;
  readonly #marks: Marks;
  readonly #networks = new Map<string, L2Network>();
  readonly #view: L2View;
  /** There is no network, and nothing is left of one. */
  #isIdle = false;
  #opened: { readonly socket: NetlinkSocket; readonly parents: Parents; readonly endpoints: L2Endpoints } | null = null;

  constructor(kind: L2Kind, { instance, sandboxes }: Pick<NetworkDriverContext, 'instance' | 'sandboxes'>) {
    this.name = kind.name;
    this.capabilities = {
      sandbox: true,
      ports: false,
      sharedAddresses: false,
      onHost: false,
      ownMac: kind.ownMac,
      bandwidth: false,
    };
    this.#kind = kind;
    this.#sandboxes = sandboxes;
    this.#marks = new Marks(instance.id);
    this.#view = new L2View(kind);
    // Its descriptor is open until this returns.
    sandboxes.watch({ held: () => {}, released: (containerId) => this.detach(containerId) });
  }

  fingerprint(): Fingerprint {
    const { name } = this.#kind;
    const problems: { what: string; fix: string }[] = [];
    if (process.geteuid?.() !== 0) problems.push({ what: 'networks need root', fix: 'Run the supervisor as root.' });
    const has = (kind: 'vlan' | 'dummy' | 'macvlan' | 'ipvlan') =>
      problems.length === 0 && withRouteSocket((socket) => knowsKind(socket, kind));
    if (problems.length === 0 && !has(name)) {
      problems.push({
        what: `this kernel has no ${name} interfaces; networks of other drivers do without`,
        fix: `Load them with \`modprobe ${name}\`, where networks of this driver are wanted.`,
      });
    }
    const attributes: Record<string, string> =
      problems.length > 0
        ? {}
        : {
            VLANs: has('vlan') ? 'made by us' : 'only those that there are (no module 8021q)',
            'networks without a parent': has('dummy') ? 'possible' : 'not possible (no module dummy)',
          };
    return { works: problems.length === 0, problems, attributes };
  }

  ensureNetwork(config: NetworkConfig): void {
    const network = l2Network(this.#kind, config);
    for (const other of this.#networks.values()) this.#requireCompatible(network, other);
    const before = this.#networks.get(network.key);
    this.#isIdle = false;
    const { parents } = this.#parts();
    parents.ensure(network);
    this.#networks.set(network.key, network);
    if (before !== undefined && before.parent !== network.parent) parents.release(before, this.#networks.values());
    this.#view.forget();
  }

  removeNetwork(key: string): void {
    const network = this.#networks.get(key);
    this.#networks.delete(key);
    this.#view.forget();
    const { parents } = this.#parts();
    if (network !== undefined) parents.release(network, this.#networks.values());
    else parents.releaseOf(key, this.#networks.values());
  }

  interfaces(containerId: string, network: string): { readonly host: string; readonly container: string } {
    const container = this.#view.endpoint(containerId, network)?.config.interfaceName ?? 'eth0';
    return { host: this.#networks.get(network)?.parent ?? '', container };
  }

  attach(config: EndpointConfig): void {
    const { network, sandbox } = this.#place(config);
    const { parents, endpoints } = this.#parts();
    const parent = parents.ensure(network);
    endpoints.connect(config, network, parent, sandbox);
    this.#view.remember({ config, sandbox, inside: insideOf(this.#kind, config, network) });
  }

  resume(config: EndpointConfig): void {
    const { network, sandbox } = this.#place(config);
    const { parents, endpoints } = this.#parts();
    const parent = parents.find(network);
    if (parent === null || !endpoints.isPresent(config, sandbox, parent.index)) this.attach(config);
    else this.#view.remember({ config, sandbox, inside: insideOf(this.#kind, config, network) });
  }

  handOver(_from: string, to: EndpointConfig): void {
    this.attach(to);
  }

  withdraw(): void {}

  disconnect(containerId: string, network: string, interfaceName: string | null): void {
    const endpoint = this.#view.endpoint(containerId, network);
    const sandbox = endpoint?.sandbox ?? this.#sandboxes.get(containerId);
    const name = endpoint?.inside.interfaceName ?? interfaceName;
    if (sandbox === null || name === null) return;
    this.#parts().endpoints.disconnect(name, sandbox);
    this.#view.drop(containerId, network);
  }

  /** At once, not with the namespace: MAC and address are free for the next container, and the parent of passthru. */
  detach(containerId: string): void {
    collectErrors(
      `detach container ${containerId}`,
      this.#view.networksOf(containerId).map((network) => () => this.disconnect(containerId, network, null)),
    );
  }

  observe(): ObservedNetworks {
    // What is left of an earlier supervisor is asked for once.
    if (this.#isIdle) return NOTHING;
    const seen = this.#parts().parents.look(this.#networks.values());
    this.#isIdle = seen.length === 0;
    return this.#view.look(seen);
  }

  checkPort(): void {}

  giveBack(): readonly string[] {
    const { parents } = this.#parts();
    this.#networks.clear();
    this.#view.forget();
    parents.releaseAll();
    return [];
  }

  close(): void {
    this.#view.close();
    this.#opened?.socket.close();
    this.#opened = null;
  }

  #parts() {
    if (this.#opened === null) {
      const socket = new NetlinkSocket(NETLINK_ROUTE);
      const parents = new Parents(this.#marks, socket);
      this.#opened = { socket, parents, endpoints: new L2Endpoints(this.#kind, this.#marks, socket) };
    }
    return this.#opened;
  }

  #requireCompatible(network: L2Network, other: L2Network): void {
    if (other.key === network.key || other.parent !== network.parent) return;
    const alone = [network, other].find(({ mode }) => this.#kind.isAlone(mode));
    if (alone === undefined && !(this.#kind.oneMode && network.mode !== other.mode)) return;
    const why =
      alone === undefined
        ? `${other.key} has ${network.parent} in mode ${other.mode}, and all of ${this.name} on an interface have one mode`
        : `${alone === network ? other.key : alone.key} has ${network.parent} too, which mode ${alone.mode} has for itself`;
    throw new TsdError('TSD_NETWORK', why, {
      class: 'conflict',
      step: `use ${network.parent}`,
      hint: 'Give one of them another parent, or both the same mode.',
    });
  }

  /** Between what an endpoint is. @throws TsdError TSD_NETWORK, precondition, when either is not there. */
  #place(config: EndpointConfig): { readonly network: L2Network; readonly sandbox: Sandbox } {
    checkContainerId(config.containerId);
    const network = this.#networks.get(config.network);
    const sandbox = this.#sandboxes.get(config.containerId);
    if (network === undefined || sandbox === null) {
      const missing =
        network === undefined ? networkName(config.network) : `sandbox of container ${config.containerId}`;
      throw new TsdError('TSD_NETWORK', `${missing} does not exist`, { class: 'precondition', step: 'attach' });
    }
    for (const family of ['ipv4', 'ipv6'] as const) {
      const address = config[family];
      if (address === null) continue;
      const subnet = network[family]?.subnet;
      if (subnet !== undefined && containsAddress(subnet, bareAddress(address))) continue;
      const message = `${JSON.stringify(address)} is not an address of ${subnet ?? network.key}`;
      throw new TsdError('TSD_NETWORK', message, { class: 'invalid' });
    }
    return { network, sandbox };
  }
}

const NOTHING: ObservedNetworks = { networks: new Map(), endpoints: new Map() };
