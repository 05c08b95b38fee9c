import type {
  EndpointConfig,
  NetworkConfig,
  NetworkDriver,
  Networks,
  ObservedEndpoint,
  ObservedNetwork,
  ObservedNetworks,
  PublishedPort,
  Sandbox,
} from '../../src/drivers/contract/network.ts';
import { TsdError } from '../../src/model/errors/errors.ts';
import type { Kernel } from './kernel.ts';
import type { Life } from './universe.ts';

const clash = (a: PublishedPort, b: PublishedPort): boolean => a.hostPort === b.hostPort && a.protocol === b.protocol;

/** Bridges, links and rules in the simulated kernel; what it knows of them dies with its supervisor, as in the real one. */
export class SimNetwork implements Networks {
  readonly #life: Life;
  readonly #kernel: Kernel;
  /** Namespaces held by descriptor, by container id. */
  readonly #held = new Map<string, number>();
  readonly #networks = new Map<string, NetworkConfig>();
  /** The endpoints that were attached in this process, by container. */
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
      capabilities: { sandbox: name !== 'host', ports: name === 'sim' },
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

  sandbox(containerId: string): Sandbox | null {
    const netnsFd = this.#held.get(containerId);
    return netnsFd === undefined ? null : { containerId, netnsFd };
  }

  openSocket(): number {
    throw new TsdError('TSD_BUG', 'not simulated');
  }

  attach(config: EndpointConfig): void {
    this.#attach(config, null);
  }

  resume(config: EndpointConfig): void {
    if (!this.#kernel.veths.has(config.containerId)) this.attach(config);
    else {
      this.#setPorts(config.containerId, config.ports);
      this.#attached.set(config.containerId, config);
    }
  }

  handOver(from: string, to: EndpointConfig): void {
    this.#attach(to, from);
  }

  #attach(config: EndpointConfig, from: string | null): void {
    const { containerId, ports, ipv4 } = config;
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
    this.#kernel.link(containerId, { address: ipv4 ?? '', bridge: network.interfaceName, netns });
    this.#attached.set(containerId, config);
    this.#life.step('network.publish');
    if (from !== null) this.#setPorts(from, []);
    this.#setPorts(containerId, ports);
  }

  interfaces(containerId: string): { readonly host: string; readonly container: string } {
    return { host: `v${containerId.slice(0, 8)}`, container: 'eth0' };
  }

  withdraw(containerId: string): void {
    this.#life.step('network.withdraw');
    this.#setPorts(containerId, []);
  }

  disconnect(containerId: string, network: string): void {
    if (this.#attached.get(containerId)?.network !== network) return;
    this.#attached.delete(containerId);
    this.#life.step('network.unpublish');
    this.#setPorts(containerId, []);
    this.#life.step('network.unlink');
    this.#kernel.veths.delete(containerId);
  }

  /** Each part is tried whatever became of the others. */
  detach(containerId: string): void {
    this.#attached.delete(containerId);
    const parts = [
      () => {
        this.#life.step('network.unpublish');
        this.#setPorts(containerId, []);
      },
      () => {
        if (!this.#held.has(containerId)) return;
        this.#life.step('network.leave');
        this.#held.delete(containerId);
        this.#publishHeld();
      },
      () => {
        if (!this.#kernel.veths.has(containerId)) return;
        this.#life.step('network.unlink');
        this.#kernel.veths.delete(containerId);
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
    for (const containerId of new Set([...veths.keys(), ...ports.keys(), ...this.#attached.keys()])) {
      const veth = veths.get(containerId);
      const network = this.#attached.get(containerId)?.network ?? null;
      const wanted = this.#networks.get(network ?? '')?.interfaceName;
      const bridge = veth && bridges.has(veth.bridge) ? veth.bridge : null;
      const unplugged = wanted !== undefined && bridge !== wanted ? [`veth not on ${wanted}`] : [];
      const drift = veth === undefined ? ['veth missing'] : unplugged;
      const seen = { containerId, network, connected: veth !== undefined, drift, ports: ports.get(containerId) ?? [] };
      endpoints.set(containerId, [seen]);
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

  occupiedSubnets(): readonly string[] {
    return [];
  }

  giveBack(): readonly string[] {
    throw new TsdError('TSD_BUG', 'not simulated');
  }

  close(): void {
    this.#held.clear();
    this.#publishHeld();
  }

  #checkHolder(port: PublishedPort, containerId: string | null, from: string | null = null): void {
    for (const [holder, held] of this.#wanted) {
      if (holder === containerId || holder === from || !held.some((other) => clash(other, port))) continue;
      throw new TsdError('TSD_PORT_IN_USE', `host port ${port.hostPort} is published by ${holder.slice(0, 12)}`);
    }
  }

  #setPorts(containerId: string, ports: readonly PublishedPort[]): void {
    for (const rules of [this.#wanted, this.#kernel.ports]) {
      if (ports.length > 0) rules.set(containerId, ports);
      else rules.delete(containerId);
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
