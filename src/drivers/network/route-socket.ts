import { NETLINK_ROUTE, NetlinkSocket } from '../../ffi/network/netlink.ts';

/** A netlink socket of the namespace this thread is in, for the time of one call. */
export function withRouteSocket<T>(use: (socket: NetlinkSocket) => T): T {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  try {
    return use(socket);
  } finally {
    socket.close();
  }
}
