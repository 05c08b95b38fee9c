/** The network of a build: that of its commands, and of what it fetches. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { DownloadNetwork } from '../../../images/build/downloads.ts';
import { HOST_NETWORK } from '../../../images/build/downloads.ts';
import { connectThrough } from '../../../images/build/fetch/reach.ts';
import type { BuildNetwork } from '../../../images/build/host.ts';
import { addressIn, macOfAddress } from '../../../model/addresses.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { buildResolvConf, readResolvConf } from '../../../state/containers/resolv-conf.ts';
import { isDefaultNetworkOff, noDefaultBridge } from '../networks/network-config.ts';
import type { World } from '../world.ts';
import { buildLeaseKey } from './build-work.ts';

export interface NetworkPlace {
  /** Null for the host's namespace. */
  readonly netnsFd: number | null;
  readonly address: string | null;
}

/** @param id under which {@link disconnect} takes back what this makes, whether it succeeds or not. */
export function connect(world: World, id: string, network: BuildNetwork): NetworkPlace {
  if (network === 'host') return { netnsFd: null, address: null };
  const { netnsFd } = world.network.createSandbox(id);
  if (network === 'none' || isDefaultNetworkOff(world)) return { netnsFd, address: null };
  const config = world.defaultNetwork();
  if (config === null) {
    throw noDefaultBridge(world, {
      hint: 'Build without a network: RUN --network=none, or tsdocker build --network none.',
    });
  }
  world.network.ensureNetwork(config);
  const address = world.leases.address({
    network: config.key,
    owner: buildLeaseKey(id),
    subnet: config.subnet,
    gateway: config.gateway,
    fixedCidr: world.settings.fixedCidr,
    requested: null,
    // A manifest cannot declare an address of the default bridge.
    reserved: () => new Set(),
  });
  if (address === null) {
    throw new TsdError(
      'TSD_ADDRESS_POOL_FULL',
      `no available ip addresses on network ${config.key} (${config.subnet})`,
    );
  }
  world.network.attach({
    containerId: id,
    network: config.key,
    address: addressIn(address, config.subnet),
    mac: macOfAddress(address),
    ports: [],
    reach: [],
  });
  return { netnsFd, address };
}

/** What takes a place in the network back, in the order in which it is to be called. */
export function disconnect(world: World, id: string): (() => Promise<void> | void)[] {
  return [() => releaseLease(world, id), () => world.network.detach(id)];
}

async function releaseLease(world: World, id: string): Promise<void> {
  const key = buildLeaseKey(id);
  if (![...world.leases.owners()].includes(key)) return;
  world.leases.release(key);
  await world.leases.save(world.commits);
}

/** Teardown goes on after a failure and then throws the first. */
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
export function resolvConfOf({ settings }: World, network: BuildNetwork): string {
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
export function downloadNetwork(world: World, network: Exclude<BuildNetwork, 'none'>): DownloadNetwork {
  if (network === 'host') return HOST_NETWORK;
  return {
    name: network,
    lend: (work) => {
      const id = randomBytes(32).toString('hex');
      return world.builds.using(id, async () => {
        try {
          connect(world, id, network);
          const names = readResolvConf(resolvConfOf(world, network));
          const open = (protocol: 'tcp' | 'udp', family: 'ipv4' | 'ipv6'): number =>
            world.network.openSocket(id, protocol, family);
          return await work(connectThrough({ open, names }));
        } finally {
          await inOrder(disconnect(world, id));
        }
      });
    },
  };
}
