/** What is done inside the namespaces of two containers that have one address for a while. */
import { constants } from 'node:os';
import { type Connection, listConnections, NETLINK_SOCK_DIAG } from '../../../ffi/network/connections.ts';
import { sendFrames } from '../../../ffi/network/frames.ts';
import { deleteAddress, type ListedAddress, listAddresses, newAddress } from '../../../ffi/network/link-addresses.ts';
import { findLink } from '../../../ffi/network/links.ts';
import { type NetlinkMessage, NetlinkSocket } from '../../../ffi/network/netlink.ts';
import {
  copiesOfRoutes,
  deleteTcpRule,
  deprecatedAddress,
  newTcpRule,
  routesGone,
} from '../../../ffi/network/source-addresses.ts';
import { inNetns } from '../../../ffi/process/namespaces.ts';
import { bareAddress, type Family, familyOf } from '../../../model/addresses.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { EndpointConfig, Sandbox } from '../../contract/network.ts';
import { withRouteSocket } from '../route-socket.ts';
import { writeSetting } from '../sysctl.ts';
import { announcement } from './announcements.ts';
import type { MoveAddresses } from './firewall/move-ruleset.ts';

const FAMILIES = ['ipv4', 'ipv6'] as const;
/** `ts`. Before the main table, whose rule has 32766. */
const TCP_TABLE = 0x7473;
const TCP_PRIORITY = 0x7473;

const tcpRule = (family: Family) => ({ family, table: TCP_TABLE, priority: TCP_PRIORITY });

/** Carries messages out one by one; these errors say that it is so already. */
function unless(
  socket: NetlinkSocket,
  messages: readonly NetlinkMessage[],
  already: keyof typeof constants.errno,
): void {
  for (const message of messages) {
    try {
      socket.request([message]);
    } catch (error) {
      if (!(error instanceof TsdError) || error.errno !== constants.errno[already]) throw error;
    }
  }
}

/**
 * Makes the new address the one that answers without a choice of the program go out from, and lets the former one stay:
 * connections have it. Of two IPv4 addresses of one subnet that is the one that was added first.
 */
function addressMessages(
  wanted: string,
  former: string,
  {
    present,
    link,
    prefixRoute,
  }: { readonly present: readonly ListedAddress[]; readonly link: number; readonly prefixRoute: boolean },
): NetlinkMessage[] {
  const add = (address: string) => newAddress({ link, address }, { prefixRoute });
  if (familyOf(wanted) === 'ipv6') return [add(wanted), deprecatedAddress({ link, address: former, prefixRoute })];
  const isFirst = present.find(({ address }) => familyOf(address) === 'ipv4')?.address === former;
  return isFirst ? [add(wanted), deleteAddress({ link, address: former }), add(former)] : [add(wanted)];
}

/**
 * Gives a container the addresses of its predecessor beside its own. Until {@link openFromShared} it opens TCP connections
 * from its former ones: from the new ones both could open the same.
 */
export function takeAddresses({ netnsFd }: Sandbox, config: EndpointConfig, prefixRoute: boolean): void {
  const { former, interfaceName } = config;
  if (former === undefined) return;
  inNetns(netnsFd, () =>
    withRouteSocket((socket) => {
      const link = findLink(socket, interfaceName)?.index;
      if (link === undefined) return;
      // Without, the kernel deletes a subnet's other addresses with its first.
      writeSetting(`ipv4/conf/${interfaceName}/promote_secondaries`, '1');
      for (const family of FAMILIES) {
        const [wanted, before] = [config[family], former[family]];
        if (wanted === null || before === null) continue;
        const present = listAddresses(socket, family).filter((entry) => entry.link === link);
        socket.request(addressMessages(wanted, before, { present, link, prefixRoute }));
        const source = { family, address: bareAddress(before), link };
        unless(socket, copiesOfRoutes(socket, TCP_TABLE, source), 'EEXIST');
        unless(socket, [newTcpRule(tcpRule(family))], 'EEXIST');
      }
    }),
  );
}

/** The predecessor has gone: connections are opened from the address that is the container's own now. */
export function openFromShared({ netnsFd }: Sandbox): void {
  inNetns(netnsFd, () =>
    withRouteSocket((socket) => {
      for (const family of FAMILIES) {
        unless(socket, [deleteTcpRule(tcpRule(family))], 'ENOENT');
        unless(socket, routesGone(socket, TCP_TABLE, family), 'ESRCH');
      }
    }),
  );
}

/** Entries of these addresses, on whichever interface. */
function entriesOf(socket: NetlinkSocket, addresses: MoveAddresses): ListedAddress[] {
  const wanted = [addresses.ipv4, addresses.ipv6];
  return listAddresses(socket, null).filter(({ address }) => wanted.includes(bareAddress(address)));
}

/** Takes addresses away: nobody is answered that they are here. */
export function dropAddresses({ netnsFd }: Sandbox, addresses: MoveAddresses): void {
  inNetns(netnsFd, () =>
    withRouteSocket((socket) => unless(socket, entriesOf(socket, addresses).map(deleteAddress), 'EADDRNOTAVAIL')),
  );
}

/** Tells all neighbours on the link that the addresses are here. */
export function announce({ netnsFd }: Sandbox, addresses: MoveAddresses, mac: string): void {
  inNetns(netnsFd, () => {
    for (const { address, link } of withRouteSocket((socket) => entriesOf(socket, addresses))) {
      sendFrames(link, [announcement(bareAddress(address), mac)]);
    }
  });
}

/** Connections of programs in a namespace to one of these addresses, and from it. */
export function connectionsOn({ netnsFd }: Sandbox, addresses: MoveAddresses): Connection[] {
  const socket = inNetns(netnsFd, () => new NetlinkSocket(NETLINK_SOCK_DIAG));
  try {
    const own = [addresses.ipv4, addresses.ipv6];
    return listConnections(socket).filter(({ local }) => own.includes(local.address));
  } finally {
    socket.close();
  }
}
