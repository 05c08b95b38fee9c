import type {
  EndpointConfig,
  NameSockets,
  NetworkConfig,
  NetworkDriver,
  Networks,
  ObservedEndpoint,
  ObservedNetwork,
  ObservedNetworks,
  PublishedPort,
  Sandbox,
} from '../../src/drivers/contract/network.ts';
import { RelaySockets } from '../../src/drivers/network/relay-sockets.ts';
import { TsdError } from '../../src/model/errors/errors.ts';
import { type HostPort, isAmong } from '../../src/model/kinds/short-forms.ts';
import type { HostUse } from '../../src/model/networks/address-pools.ts';
import { containerOf, endpointId, type Kernel } from './kernel.ts';
import type { Life } from './universe.ts';

const clash = (a: PublishedPort, b: PublishedPort): boolean => a.hostPort === b.hostPort && a.protocol === b.protocol;

/** Bridges, links and rules in the simulated kernel; what it knows of them dies with its supervisor, as in the real one. */
export class SimNetwork implements Networks {
  readonly #life: Life;
  readonly #kernel: Kernel;
  /** Namespaces held by descriptor, by container id. */
  readonly #held = new Map<string, number>();
  readonly #networks = new Map<string, NetworkConfig>();
  /** The endpoints that were attached in this process, by container and network. */
  readonly #attached = new Map<string, EndpointConfig>();
  /** Rules as they should be; taken over from the kernel at first. */
  readonly #wanted: Map<string, readonly PublishedPort[]>;

  constructor(life: Life, kernel: Kernel) {
    this.#life = life;
    this.#kernel = kernel;
    this.#wanted = new Map(kernel.ports);
  }

  get drivers(): readonly NetworkDriver[] {
    return ['sim', 'none', 'host'].map((name) => this.driver(name));
  }

  driver(name: string): NetworkDriver {
    return {
      name,
      capabilities: {
        sandbox: name !== 'host',
        ports: name === 'sim',
        sharedAddresses: name === 'sim',
        onHost: name === 'sim',
        ownMac: name === 'sim',
        bandwidth: name === 'sim',
      },
      connections: name === 'sim' ? this : null,
      fingerprint: () => ({ works: true, problems: [], attributes: {} }),
      close: () => {},
    };
  }

  ensureNetwork(config: NetworkConfig): void {
    const { key, interfaceName: bridge, ipv4 } = config;
    const gateway = ipv4?.gateway ?? '';
    this.#life.step('network.bridge');
    this.#kernel.bridges.set(bridge, { key, bridge, gateway });
    this.#networks.set(key, config);
    this.#life.step('network.rules');
    this.#kernel.rules = true;
    this.#kernel.ports = new Map(this.#wanted);
  }

  removeNetwork(key: string): void {
    this.#life.step('network.remove');
    for (const [name, bridge] of this.#kernel.bridges) if (bridge.key === key) this.#kernel.bridges.delete(name);
    this.#networks.delete(key);
  }

  createSandbox(containerId: string): Sandbox {
    if (!this.#held.has(containerId)) {
      this.#life.step('network.sandbox');
      this.#hold(containerId, this.#kernel.newNamespace());
    }
    return { containerId, netnsFd: this.#held.get(containerId) ?? -1 };
  }

  adoptSandbox(containerId: string, netns: number): Sandbox {
    if (!this.#held.has(containerId)) this.#hold(containerId, netns);
    return { containerId, netnsFd: netns };
  }

  /** The kernel of the simulated host publishes all ports. */
  readonly relays = new RelaySockets();

  /** Containers of the simulated host find names in their hosts files. */
  readonly nameShortcoming = 'no names are answered here';

  openNameSockets(): NameSockets {
    throw new TsdError('TSD_UNSUPPORTED_HOST', this.nameShortcoming);
  }

  sandbox(containerId: string): Sandbox | null {
    const netnsFd = this.#held.get(containerId);
    return netnsFd === undefined ? null : { containerId, netnsFd };
  }

  openSockets(): readonly number[] {
    throw new TsdError('TSD_BUG', 'not simulated');
  }

  openSocket(): number {
    throw new TsdError('TSD_BUG', 'not simulated');
  }

  attach(config: EndpointConfig): void {
    this.#attach(config, null);
  }

  resume(config: EndpointConfig): void {
    const endpoint = endpointId(config.containerId, config.network);
    if (!this.#kernel.veths.has(endpoint)) this.attach(config);
    else {
      this.#setPorts(endpoint, config.ports);
      this.#attached.set(endpoint, config);
      this.#settle(endpoint);
    }
  }

  handOver(from: string, to: EndpointConfig): void {
    const [giving, taking] = [endpointId(from, to.network), endpointId(to.containerId, to.network)];
    const address = to.ipv4 ?? '';
    const shares = address !== '' && this.#attached.get(giving)?.ipv4 === address;
    const known = this.#kernel.moveOf(address, giving, taking);
    const move = { address, sides: [giving, taking] as const, owner: giving };
    if (shares && known?.owner !== taking) {
      this.#life.step('network.share');
      this.#kernel.share(move);
    }
    try {
      this.#attach(to, from);
    } catch (error) {
      if (shares && !known) {
        // A supervisor that is gone takes nothing back.
        this.#life.step('network.give-up');
        this.#kernel.endMoves(taking);
      }
      throw error;
    }
    if (!shares) return;
    this.#life.step('network.own');
    this.#kernel.share({ ...move, owner: taking });
  }

  /** Ends moves whose other side went while no supervisor ran. */
  #settle(endpoint: string): void {
    for (const { sides } of this.#kernel.moves.filter((move) => move.sides.includes(endpoint))) {
      const other = sides[0] === endpoint ? sides[1] : sides[0];
      if (this.#kernel.veths.has(other)) continue;
      this.#life.step('network.settle');
      this.#kernel.endMoves(other);
    }
  }

  #attach(config: EndpointConfig, from: string | null): void {
    const { containerId, ports, ipv4, former } = config;
    const network = this.#networks.get(config.network);
    const netns = this.#held.get(containerId);
    if (network === undefined || netns === undefined) {
      throw new TsdError('TSD_NETWORK', `network or sandbox of ${containerId} does not exist`, {
        class: 'precondition',
      });
    }
    for (const port of ports) this.#checkHolder(port, containerId, from);
    if (!this.#kernel.bridges.has(network.interfaceName)) {
      throw new TsdError('TSD_NETWORK', `bridge ${network.interfaceName} does not exist`, { class: 'precondition' });
    }
    this.#life.step('network.link');
    const endpoint = endpointId(containerId, config.network);
    const bridge = network.interfaceName;
    this.#kernel.link(endpoint, { address: ipv4 ?? '', former: former?.ipv4 ?? null, bridge, netns });
    this.#attached.set(endpoint, config);
    this.#life.step('network.publish');
    if (from !== null) this.#unpublish(from);
    this.#setPorts(endpoint, ports);
  }

  interfaces(containerId: string): { readonly host: string; readonly container: string } {
    return { host: `v${containerId.slice(0, 8)}`, container: 'eth0' };
  }

  withdraw(containerId: string, only?: readonly HostPort[]): void {
    this.#life.step('network.withdraw');
    this.#unpublish(containerId, only);
  }

  disconnect(containerId: string, network: string): void {
    const endpoint = endpointId(containerId, network);
    this.#attached.delete(endpoint);
    this.#life.step('network.unpublish');
    this.#setPorts(endpoint, []);
    this.#life.step('network.unlink');
    this.#kernel.endMoves(endpoint);
    this.#kernel.veths.delete(endpoint);
  }

  /** Each part is tried whatever became of the others. */
  detach(containerId: string): void {
    for (const endpoint of [...this.#attached.keys()]) {
      if (containerOf(endpoint) === containerId) this.#attached.delete(endpoint);
    }
    const parts = [
      () => {
        for (const { sides } of this.#kernel.moves) {
          const own = sides.find((endpoint) => containerOf(endpoint) === containerId);
          if (own === undefined) continue;
          this.#life.step('network.part');
          this.#kernel.endMoves(own);
        }
      },
      () => {
        this.#life.step('network.unpublish');
        this.#unpublish(containerId);
      },
      () => {
        if (!this.#held.has(containerId)) return;
        this.#life.step('network.leave');
        this.#held.delete(containerId);
        this.#publishHeld();
      },
      () => {
        const endpoints = this.#kernel.endpointsOf(containerId);
        if (endpoints.length === 0) return;
        this.#life.step('network.unlink');
        for (const endpoint of endpoints) this.#kernel.veths.delete(endpoint);
      },
    ];
    const failures: unknown[] = [];
    for (const part of parts) {
      try {
        part();
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  observe(): ObservedNetworks {
    const { bridges, veths, ports, rules } = this.#kernel;
    this.#life.step('network.observe');
    const endpoints = new Map<string, readonly ObservedEndpoint[]>();
    for (const endpoint of new Set([...veths.keys(), ...ports.keys(), ...this.#attached.keys()])) {
      const containerId = containerOf(endpoint);
      const veth = veths.get(endpoint);
      const network = endpoint.slice(containerId.length + 1);
      const wanted = this.#attached.has(endpoint) ? this.#networks.get(network)?.interfaceName : undefined;
      const bridge = veth && bridges.has(veth.bridge) ? veth.bridge : null;
      const unplugged = wanted !== undefined && bridge !== wanted ? [`veth not on ${wanted}`] : [];
      const drift = veth === undefined ? ['veth missing'] : unplugged;
      const seen = { containerId, network, connected: veth !== undefined, drift, ports: ports.get(endpoint) ?? [] };
      endpoints.set(containerId, [...(endpoints.get(containerId) ?? []), seen]);
    }
    const networks = new Map<string, ObservedNetwork>();
    for (const { key } of bridges.values()) networks.set(key, { found: true, drift: ['bridge or rules'] });
    for (const { key, interfaceName, ipv4 } of this.#networks.values()) {
      const isWhole = rules && bridges.get(interfaceName)?.gateway === ipv4?.gateway;
      networks.set(key, { found: networks.has(key), drift: isWhole ? [] : ['bridge or rules'] });
    }
    return { networks, endpoints };
  }

  checkPort(port: PublishedPort, containerId: string | null): void {
    this.#checkHolder(port, containerId);
    if (!this.#kernel.foreign.has(port.hostPort)) return;
    throw new TsdError('TSD_PORT_IN_USE', `host port ${port.hostPort} is used by another program`);
  }

  hostUse(): HostUse {
    return { routes: [], nameServers: [] };
  }

  giveBack(): readonly string[] {
    throw new TsdError('TSD_BUG', 'not simulated');
  }

  close(): void {
    this.#held.clear();
    this.#publishHeld();
  }

  #checkHolder(port: PublishedPort, containerId: string | null, from: string | null = null): void {
    for (const [endpoint, held] of this.#wanted) {
      const holder = containerOf(endpoint);
      if (holder === containerId || holder === from || !held.some((other) => clash(other, port))) continue;
      throw new TsdError('TSD_PORT_IN_USE', `host port ${port.hostPort} is published by ${holder.slice(0, 12)}`);
    }
  }

  #setPorts(endpoint: string, ports: readonly PublishedPort[]): void {
    for (const rules of [this.#wanted, this.#kernel.ports]) {
      if (ports.length > 0) rules.set(endpoint, ports);
      else rules.delete(endpoint);
    }
  }

  #unpublish(containerId: string, only?: readonly HostPort[]): void {
    for (const endpoint of new Set([...this.#wanted.keys(), ...this.#kernel.ports.keys()])) {
      if (containerOf(endpoint) !== containerId) continue;
      const ports = this.#wanted.get(endpoint) ?? this.#kernel.ports.get(endpoint) ?? [];
      this.#setPorts(endpoint, only === undefined ? [] : ports.filter((port) => !isAmong(only, port)));
    }
  }

  #hold(containerId: string, netns: number): void {
    this.#held.set(containerId, netns);
    this.#publishHeld();
  }

  #publishHeld(): void {
    this.#kernel.held = new Set(this.#held.values());
    this.#kernel.collect();
  }
}
