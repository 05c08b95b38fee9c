/** Sockets that have a peer. Layouts and constants: linux/sock_diag.h, linux/inet_diag.h, net/tcp_states.h; sock_diag(7). */
import { append } from '../../model/lists.ts';
import { addressAt, FAMILY_OF } from './address-bytes.ts';
import { type NetlinkSocket, NLM_F_DUMP } from './netlink.ts';

export const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;

const PROTOCOLS = { tcp: 6, udp: 17 } as const;
type ConnectedProtocol = keyof typeof PROTOCOLS;

const TCP = { TIME_WAIT: 6, CLOSE: 7, LISTEN: 10 } as const;
/** All states but these three: what the peer sends next is for the socket. */
const CONNECTED = Object.values(TCP).reduce((states, state) => states & ~(1 << state), 0x1fff);

/** struct inet_diag_req_v2. */
const REQUEST_BYTES = 56;
/** Of struct inet_diag_msg: ports and addresses of its struct inet_diag_sockid. */
const AT = { localPort: 4, peerPort: 6, local: 8, peer: 24 } as const;

/** An IPv4 peer of an IPv6 socket: ::ffff:10.80.0.9. */
const MAPPED = '00000000000000000000ffff';
const MAPPED_BYTES = 12;

export interface Connection {
  readonly protocol: ConnectedProtocol;
  readonly local: { readonly address: string; readonly port: number };
  readonly peer: { readonly address: string; readonly port: number };
}

function request(family: number, protocol: ConnectedProtocol): Buffer {
  const body = Buffer.alloc(REQUEST_BYTES);
  body.writeUInt8(family, 0);
  body.writeUInt8(PROTOCOLS[protocol], 1);
  body.writeUInt32LE(CONNECTED, 4);
  return body;
}

function addressOf(bytes: Buffer, at: number, family: number): string {
  const isMapped = family === FAMILY_OF.ipv6 && bytes.subarray(at, at + MAPPED_BYTES).toString('hex') === MAPPED;
  const text = isMapped ? addressAt(bytes, at + MAPPED_BYTES, FAMILY_OF.ipv4) : addressAt(bytes, at, family);
  return text ?? '';
}

/** TCP connections, half-open ones too, and UDP sockets with a peer. @param socket of NETLINK_SOCK_DIAG */
export function listConnections(socket: NetlinkSocket): Connection[] {
  const found: Connection[] = [];
  for (const family of Object.values(FAMILY_OF)) {
    for (const protocol of Object.keys(PROTOCOLS) as ConnectedProtocol[]) {
      const message = {
        step: `list ${protocol} connections`,
        type: SOCK_DIAG_BY_FAMILY,
        flags: NLM_F_DUMP,
        body: request(family, protocol),
      };
      append(
        found,
        socket.dump(message, (bytes, start) => ({
          protocol,
          local: {
            address: addressOf(bytes, start + AT.local, family),
            port: bytes.readUInt16BE(start + AT.localPort),
          },
          peer: { address: addressOf(bytes, start + AT.peer, family), port: bytes.readUInt16BE(start + AT.peerPort) },
        })),
      );
    }
  }
  return found;
}
