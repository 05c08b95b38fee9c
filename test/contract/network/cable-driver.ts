/**
 * A network driver of the tests, by ip(8): a bridge per network and a veth pair per container, without a packet filter and
 * without published ports.
 */
import { execFileSync } from 'node:child_process';
import type {
  EndpointConfig,
  NetworkConfig,
  NetworkConnections,
  NetworkDriver,
  ObservedEndpoint,
  ObservedNetworks,
} from '../../../src/drivers/contract/network.ts';
import type { NetworkDriverContext } from '../../../src/drivers/network/open.ts';
import type { Sandboxes } from '../../../src/drivers/network/sandboxes.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8' });

interface IpLink {
  readonly ifname: string;
  readonly ifalias?: string;
  readonly master?: string;
  readonly flags: readonly string[];
}

const links = (): IpLink[] => JSON.parse(ip('-json', 'link', 'show'));

/** A namespace that ends takes its interfaces with it at any moment. */
function remove(name: string): void {
  try {
    ip('link', 'delete', name);
  } catch (error) {
    if (links().some(({ ifname }) => ifname === name)) throw error;
  }
}

export function createCableDriver(context: NetworkDriverContext): NetworkDriver {
  return {
    name: 'cable',
    capabilities: { sandbox: true, ports: false, sharedAddresses: false, onHost: true, ownMac: true, bandwidth: false },
    connections: new Cables(context.instance.id, context.sandboxes),
    fingerprint: () => ({ works: true, problems: [], attributes: {} }),
    close: () => {},
  };
}

class Cables implements NetworkConnections {
  readonly #prefix: string;
  readonly #sandboxes: Sandboxes;
  readonly #networks = new Map<string, NetworkConfig>();
  readonly #attached = new Map<string, EndpointConfig>();

  constructor(instance: string, sandboxes: Sandboxes) {
    this.#prefix = `cable:${instance}:`;
    this.#sandboxes = sandboxes;
  }

  ensureNetwork(config: NetworkConfig): void {
    const { key, interfaceName: name, ipv4, options } = config;
    const [option] = Object.keys(options);
    if (option !== undefined) throw new TsdError('TSD_NETWORK', `no option ${option}`, { class: 'invalid' });
    if (!this.#has(name)) ip('link', 'add', name, 'type', 'bridge');
    ip('link', 'set', name, 'alias', `${this.#prefix}${key}`);
    ip('address', 'replace', `${ipv4?.gateway}/${ipv4?.subnet.split('/')[1]}`, 'dev', name);
    ip('link', 'set', name, 'up');
    this.#networks.set(key, config);
  }

  removeNetwork(key: string): void {
    for (const { ifname, ifalias } of links()) if (ifalias === `${this.#prefix}${key}`) remove(ifname);
    this.#networks.delete(key);
  }

  interfaces(containerId: string): { readonly host: string; readonly container: string } {
    return { host: `c${containerId.slice(0, 12)}`, container: 'eth0' };
  }

  attach(config: EndpointConfig): void {
    const network = this.#networks.get(config.network);
    const sandbox = this.#sandboxes.get(config.containerId);
    if (network === undefined || sandbox === null) {
      throw new TsdError('TSD_NETWORK', 'nothing to attach', { class: 'precondition', step: 'attach' });
    }
    const { host } = this.interfaces(config.containerId);
    if (!this.#has(host)) {
      const netns = `/proc/${process.pid}/fd/${sandbox.netnsFd}`;
      ip('link', 'add', host, 'type', 'veth', 'peer', 'eth0', 'netns', netns);
    }
    ip('link', 'set', host, 'alias', `${this.#prefix}${config.containerId}`, 'master', network.interfaceName, 'up');
    inNetns(sandbox.netnsFd, () => {
      ip('link', 'set', 'eth0', 'address', config.mac ?? '', 'up');
      ip('address', 'replace', config.ipv4 ?? '', 'dev', 'eth0');
      ip('route', 'replace', 'default', 'via', network.ipv4?.gateway ?? '');
    });
    this.#attached.set(config.containerId, config);
  }

  resume(config: EndpointConfig): void {
    if (this.#has(this.interfaces(config.containerId).host)) this.#attached.set(config.containerId, config);
    else this.attach(config);
  }

  handOver(_from: string, to: EndpointConfig): void {
    this.attach(to);
  }

  withdraw(): void {}

  disconnect(containerId: string, network: string): void {
    if (this.#attached.get(containerId)?.network === network) this.detach(containerId);
  }

  detach(containerId: string): void {
    const { host } = this.interfaces(containerId);
    if (this.#has(host)) remove(host);
    this.#attached.delete(containerId);
  }

  observe(): ObservedNetworks {
    const all = links();
    const found = new Map(all.map((link) => [link.ifname, link]));
    const ids = all.flatMap(({ ifalias }) =>
      ifalias?.startsWith(this.#prefix) ? [ifalias.slice(this.#prefix.length)] : [],
    );
    const isKey = (id: string): boolean => id.startsWith('network/');
    const networks = new Map(ids.filter(isKey).map((key) => [key, { found: true, drift: ['bridge'] }]));
    for (const [key, { interfaceName }] of this.#networks) {
      const isUp = found.get(interfaceName)?.flags.includes('UP') === true;
      networks.set(key, { found: networks.has(key), drift: isUp ? [] : ['bridge'] });
    }
    const endpoints = new Map<string, readonly ObservedEndpoint[]>();
    for (const containerId of [...ids.filter((id) => !isKey(id)), ...this.#attached.keys()]) {
      const link = found.get(this.interfaces(containerId).host);
      const key = this.#attached.get(containerId)?.network ?? null;
      const network = this.#networks.get(key ?? '');
      const unplugged = network !== undefined && link?.master !== network.interfaceName ? ['cable unplugged'] : [];
      const drift = link === undefined ? ['cable missing'] : unplugged;
      endpoints.set(containerId, [{ containerId, network: key, connected: link !== undefined, drift, ports: [] }]);
    }
    return { networks, endpoints };
  }

  checkPort(): void {}

  giveBack(): readonly string[] {
    for (const { ifname, ifalias } of links()) if (ifalias?.startsWith(this.#prefix)) remove(ifname);
    this.#networks.clear();
    this.#attached.clear();
    return [];
  }

  #has(name: string): boolean {
    return links().some(({ ifname }) => ifname === name);
  }
}
