/** Numbers by which the namespace of a netlink socket knows others, so that it can ask about them: rtnetlink(7), RTM_GETNSID. */
import { attribute, type NetlinkSocket, parseAttributes, u32 } from './netlink.ts';

// linux/rtnetlink.h, linux/net_namespace.h
const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;
const NETNSA = { NSID: 1, FD: 3 } as const;
const NOT_ASSIGNED = -1;
/** struct rtgenmsg, aligned. */
const HEADER = Buffer.alloc(4);

/** The number of a namespace, which it keeps as long as it lives; it gets one when it has none. */
export function namespaceId(socket: NetlinkSocket, netnsFd: number): number {
  const known = lookUp(socket, netnsFd);
  if (known !== NOT_ASSIGNED) return known;
  const body = Buffer.concat([HEADER, attribute(NETNSA.FD, u32(netnsFd)), attribute(NETNSA.NSID, u32(NOT_ASSIGNED))]);
  socket.request([{ step: 'number a network namespace', type: RTM_NEWNSID, flags: 0, body }]);
  return lookUp(socket, netnsFd);
}

function lookUp(socket: NetlinkSocket, netnsFd: number): number {
  const body = Buffer.concat([HEADER, attribute(NETNSA.FD, u32(netnsFd))]);
  const [answer] = socket.query({ step: 'look up a network namespace', type: RTM_GETNSID, flags: 0, body });
  return (answer && parseAttributes(answer, HEADER.length).get(NETNSA.NSID)?.readInt32LE(0)) ?? NOT_ASSIGNED;
}
