import type {
  EndpointConfig,
  NetworkConfig,
  NetworkDriver,
  ObservedEndpoint,
  ObservedNetworks,
  PublishedPort,
  Sandbox,
} from '../../src/drivers/contract/network.ts';
import { TsdError } from '../../src/model/errors/errors.ts';
import type { Kernel } from './kernel.ts';
import type { Life } from './universe.ts';

const clash = (a: PublishedPort, b: PublishedPort): boolean => a.hostPort === b.hostPort && a.protocol === b.protocol;

/** Bridges, links and rules in the simulated kernel; what it knows of them dies with its supervisor, as in the real one. */
export class SimNetwork implements NetworkDriver {
  readonly name = 'sim';
  readonly #life: Life;
  readonly #kernel: Kernel;
  /** Namespaces held by descriptor, by container id. */
  readonly #held = new Map<string, number>();
  readonly #networks = new Map<string, NetworkConfig>();
  /** Rules as they should be; taken over from the kernel at first. */
  readonly #wanted: Map<string, readonly PublishedPort[]>;

  constructor(life: Life, kernel: Kernel) {
    this.#life = life;
    this.#kernel = kernel;
    this.#wanted = new Map(kernel.ports);
  }

  fingerprint() {
    return { works: true, problems: [], attributes: {} };
  }

  ensureNetwork(config: NetworkConfig): void {
    const { key, bridge, gateway } = config;
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
    else this.#setPorts(config.containerId, config.ports);
  }

  handOver(from: string, to: EndpointConfig): void {
    this.#attach(to, from);
  }

  #attach(config: EndpointConfig, from: string | null): void {
    const { containerId, ports, address } = config;
    const network = this.#networks.get(config.network);
    const netns = this.#held.get(containerId);
    if (network === undefined || netns === undefined) {
      throw new TsdError('TSD_NETWORK', `network or sandbox of ${containerId} does not exist`, {
        class: 'precondition',
      });
    }
    for (const port of ports) this.#checkHolder(port, containerId, from);
    if (!this.#kernel.bridges.has(network.bridge)) {
      throw new TsdError('TSD_NETWORK', `bridge ${network.bridge} does not exist`, { class: 'precondition' });
    }
    this.#life.step('network.link');
    this.#kernel.link(containerId, { address, bridge: network.bridge, netns });
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

  /** Each part is tried whatever became of the others. */
  detach(containerId: string): void {
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
    const endpoints = new Map<string, ObservedEndpoint>();
    for (const containerId of new Set([...veths.keys(), ...ports.keys()])) {
      const veth = veths.get(containerId);
      const bridge = veth && bridges.has(veth.bridge) ? veth.bridge : null;
      const published = ports.get(containerId) ?? [];
      const hostInterface = veth ? `v${containerId.slice(0, 8)}` : null;
      endpoints.set(containerId, {
        containerId,
        hostInterface,
        bridge,
        up: veth !== undefined,
        addresses: null,
        ports: published,
      });
    }
    const seen = [...bridges.values()].map(({ key, bridge, gateway }) => {
      return { key, bridge, up: true, addresses: [`${gateway}/16`] };
    });
    return { bridges: seen, endpoints, rules, known: new Set(this.#networks.keys()) };
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
