/** What this host uses of the address space, whichever drivers there are. */
import { listLinks } from '../../ffi/network/links.ts';
import type { NetlinkSocket } from '../../ffi/network/netlink.ts';
import { listRoutes } from '../../ffi/network/routes.ts';
import { overlaps } from '../../model/addresses.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { type HostUse, usedByHost } from '../../model/networks/address-pools.ts';
import { nameServers } from './name-servers.ts';

export function readHostUse(socket: NetlinkSocket): HostUse {
  const names = new Map(listLinks(socket).map(({ index, name }) => [index, name]));
  const routes = listRoutes(socket, null).map(({ destination, gateway, link }) => ({
    destination,
    gateway,
    link: names.get(link) ?? '',
  }));
  return { routes, nameServers: nameServers() };
}

/** For a network that is about to be made. @throws TsdError TSD_SUBNET_CONFLICT */
export function requireUnused(host: HostUse, subnet: string, step: string): void {
  const clash = usedByHost(host, subnet).find((used) => overlaps(used.subnet, subnet));
  if (clash === undefined) return;
  throw new TsdError('TSD_SUBNET_CONFLICT', `subnet ${subnet} overlaps ${clash.subnet} (${clash.by})`, { step });
}
