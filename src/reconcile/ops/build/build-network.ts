/** The network of a build: that of its commands, and of what it fetches. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Networks } from '../../../drivers/contract/network.ts';
import type { DownloadNetwork } from '../../../images/build/downloads.ts';
import { HOST_NETWORK } from '../../../images/build/downloads.ts';
import { connectThrough } from '../../../images/build/fetch/reach.ts';
import type { BuildNetwork } from '../../../images/build/host.ts';
import { addressIn, macOfAddress } from '../../../model/addresses.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { networkName } from '../../../model/networks/network-name.ts';
import { buildResolvConf, readResolvConf } from '../../../state/containers/resolv-conf.ts';
import type { LeaseBook } from '../networks/lease-book.ts';
import { type DefaultNetworks, ipv4RangeOf, isDefaultNetworkOff, noDefaultBridge } from '../networks/network-config.ts';
import { type BuildWork, buildLeaseKey } from './build-work.ts';

export interface BuildNetworkPorts {
  readonly builds: Pick<BuildWork, 'using'>;
  readonly network: Pick<Networks, 'driver' | 'createSandbox' | 'ensureNetwork' | 'attach' | 'detach' | 'openSocket'>;
  readonly networks: DefaultNetworks;
  readonly leases: Pick<LeaseBook, 'address' | 'owners' | 'release' | 'save'>;
  /** Part of the default bridge's subnet that addresses are taken from, and the name servers of commands. */
  readonly settings: {
    readonly fixedCidr: string | null;
    readonly dns: readonly string[];
    readonly dnsSearch: readonly string[];
  };
}

export interface NetworkPlace {
  /** Null for the host's namespace. */
  readonly netnsFd: number | null;
  readonly address: string | null;
}

/** @param id under which {@link disconnect} takes back what this makes, whether it succeeds or not. */
export function connect(ports: BuildNetworkPorts, id: string, network: BuildNetwork): NetworkPlace {
  if (network !== 'default' && !ports.network.driver(network).capabilities.sandbox) {
    return { netnsFd: null, address: null };
  }
  const { netnsFd } = ports.network.createSandbox(id);
  if (network === 'none' || isDefaultNetworkOff(ports.networks)) return { netnsFd, address: null };
  const config = ports.networks.defaultNetwork();
  if (config === null) {
    throw noDefaultBridge(ports.networks, {
      hint: 'Build without a network: RUN --network=none, or tsdocker build --network none.',
    });
  }
  ports.network.ensureNetwork(config);
  const { subnet, gateway } = ipv4RangeOf(config);
  const address = ports.leases.address({
    network: config.key,
    owner: buildLeaseKey(id),
    subnet,
    gateway,
    fixedCidr: ports.settings.fixedCidr,
    requested: null,
    // A manifest cannot declare an address of the default bridge.
    reserved: () => new Set(),
  });
  if (address === null) {
    throw new TsdError('TSD_ADDRESS_POOL_FULL', `no available ip addresses on ${networkName(config.key)} (${subnet})`);
  }
  ports.network.attach({
    containerId: id,
    network: config.key,
    interfaceName: 'eth0',
    ipv4: addressIn(address, subnet),
    ipv6: null,
    mac: macOfAddress(address),
    defaultRoute: { ipv4: true, ipv6: false },
    ports: [],
    reach: [],
  });
  return { netnsFd, address };
}

/** What takes a place in the network back, in the order in which it is to be called. */
export function disconnect(ports: BuildNetworkPorts, id: string): (() => Promise<void> | void)[] {
  return [() => releaseLease(ports, id), () => ports.network.detach(id)];
}

async function releaseLease(ports: BuildNetworkPorts, id: string): Promise<void> {
  const key = buildLeaseKey(id);
  if (![...ports.leases.owners()].includes(key)) return;
  ports.leases.release(key);
  await ports.leases.save();
}

/** Teardown continues after a failure and then throws the first. */
export async function inOrder(work: readonly (() => Promise<void> | void)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const step of work) {
    try {
      await step();
    } catch (thrown) {
      failures.push(thrown);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** /etc/resolv.conf of a build with this network. */
export function resolvConfOf({ settings }: Pick<BuildNetworkPorts, 'settings'>, network: BuildNetwork): string {
  const hostText = hostFile('/etc/resolv.conf');
  const none = { servers: [], search: [] };
  return network === 'host'
    ? hostText
    : buildResolvConf(none, { servers: settings.dns, search: settings.dnsSearch }, hostText);
}

export function hostFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Where ADD fetches from: where a RUN beside it would. */
export function downloadNetwork(ports: BuildNetworkPorts, network: Exclude<BuildNetwork, 'none'>): DownloadNetwork {
  if (network === 'host') return HOST_NETWORK;
  return {
    name: network,
    lend: (work) => {
      const id = randomBytes(32).toString('hex');
      return ports.builds.using(id, async () => {
        try {
          connect(ports, id, network);
          const names = readResolvConf(resolvConfOf(ports, network));
          const open = (protocol: 'tcp' | 'udp', family: 'ipv4' | 'ipv6'): number =>
            ports.network.openSocket(id, protocol, family);
          return await work(connectThrough({ open, names }));
        } finally {
          await inOrder(disconnect(ports, id));
        }
      });
    },
  };
}
