/**
 * Frames that tell all neighbours which MAC an address has: a gratuitous ARP request (RFC 5227, section 2.3) and an
 * unsolicited neighbour advertisement (RFC 4861, section 7.2.6). Pure.
 */
import { addressBytes } from '../../../ffi/network/address-bytes.ts';
import { familyOf } from '../../../model/addresses.ts';

const BROADCAST = 'ff:ff:ff:ff:ff:ff';
const ALL_NODES = 'ff02::1';
const ALL_NODES_MAC = '33:33:00:00:00:01';
const ETHERTYPE = { ARP: 0x0806, IPV6: 0x86dd } as const;
/** Hardware type Ethernet, protocol IPv4, lengths 6 and 4, operation request. */
const ARP_REQUEST = Buffer.from('0001080006040001', 'hex');
const NO_MAC = Buffer.alloc(6);
const ICMPV6 = 58;
const HOPS = 255;
const NEIGHBOUR_ADVERTISEMENT = 136;
/** What caches hold is replaced. */
const OVERRIDE = 0x20;
const TARGET_LINK_ADDRESS = Buffer.from([2, 1]);

const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');

function u16(value: number): Buffer {
  const out = Buffer.alloc(2);
  out.writeUInt16BE(value);
  return out;
}

function ethernet(to: string, from: string, type: number, payload: Buffer): Buffer {
  return Buffer.concat([macBytes(to), macBytes(from), u16(type), payload]);
}

/** RFC 1071. */
function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

function advertisement(address: string, mac: string): Buffer {
  const [source, target] = [addressBytes(address), addressBytes(ALL_NODES)];
  const body = Buffer.concat([
    Buffer.from([NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0]),
    source,
    TARGET_LINK_ADDRESS,
    macBytes(mac),
  ]);
  const pseudo = Buffer.concat([source, target, Buffer.from([0, 0, 0, body.length, 0, 0, 0, ICMPV6])]);
  body.writeUInt16BE(checksum(Buffer.concat([pseudo, body])), 2);
  const header = Buffer.concat([Buffer.from([0x60, 0, 0, 0]), u16(body.length), Buffer.from([ICMPV6, HOPS])]);
  return Buffer.concat([header, source, target, body]);
}

/** @param address without the length of a prefix */
export function announcement(address: string, mac: string): Buffer {
  if (familyOf(address) === 'ipv6') return ethernet(ALL_NODES_MAC, mac, ETHERTYPE.IPV6, advertisement(address, mac));
  const own = addressBytes(address);
  const arp = Buffer.concat([ARP_REQUEST, macBytes(mac), own, NO_MAC, own]);
  return ethernet(BROADCAST, mac, ETHERTYPE.ARP, arp);
}
