/** Deletion of network interfaces, which the kernel may do at the same time by itself. */
import { constants } from 'node:os';
import type { NetlinkMessage, NetlinkSocket } from '../../ffi/network/netlink.ts';
import { TsdError } from '../../model/errors/errors.ts';

/** One that is gone counts as deleted: it goes with its other end, its parent or its namespace at any moment. */
export function deleteUnlessGone(socket: NetlinkSocket, deletion: NetlinkMessage): void {
  try {
    socket.request([deletion]);
  } catch (error) {
    if (!(error instanceof TsdError) || error.errno !== constants.errno.ENODEV) throw error;
  }
}
