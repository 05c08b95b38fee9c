/** Ethernet frames as an attacker builds them, and what arrives of them on another machine. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { inNetns } from '../../src/ffi/process/namespaces.ts';

const SEND = `
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind((sys.argv[1], 0))
for frame in sys.argv[2:]: s.send(bytes.fromhex(frame))
`;

/** Prints the texts that frames carry, in the order of their arrival. */
const LISTEN = `
import re, socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(3))
s.bind((sys.argv[1], 0))
print('ready', flush=True)
while True:
    frame, address = s.recvfrom(65535)
    if address[2] == socket.PACKET_OUTGOING: continue
    for text in re.findall(rb'<([ -;?-~]*)>', frame): print(text.decode(), flush=True)
`;

export function sendFrames(netnsFd: number, link: string, ...frames: readonly Buffer[]): void {
  inNetns(netnsFd, () => execFileSync('python3', ['-c', SEND, link, ...frames.map((frame) => frame.toString('hex'))]));
}

/** The texts of frames that arrive at a link of a namespace while `act` runs, up to the text `last`. */
export async function arriving(netnsFd: number, link: string, act: () => void, last: string): Promise<string[]> {
  const listener = inNetns(netnsFd, () =>
    spawn('python3', ['-c', LISTEN, link], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
  const heard: string[] = [];
  try {
    for await (const line of createInterface(listener.stdout)) {
      if (line === 'ready') act();
      else heard.push(line);
      if (line === last) break;
    }
  } finally {
    listener.kill();
    if (listener.exitCode === null && listener.signalCode === null) await once(listener, 'exit');
  }
  return heard;
}

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const ipv4Bytes = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

function ipv6Bytes(address: string): Buffer {
  const words = (part: string): number[] =>
    part.split(':').flatMap((word) => (word === '' ? [] : Number.parseInt(word, 16)));
  const [head = '', tail = ''] = address.split('::');
  const [front, back] = [words(head), words(tail)];
  const zeros = Array.from({ length: 8 - front.length - back.length }, () => 0);
  return Buffer.concat([...front, ...zeros, ...back].map(u16));
}

const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');

function checksum(data: Buffer): number {
  let total = 0;
  for (let at = 0; at < data.length; at += 2) total += (data[at] as number) * 256 + (data[at + 1] ?? 0);
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
  return ~total & 0xffff;
}

export interface Ends {
  readonly from: string;
  readonly to: string;
}

const ethernet = ({ from, to }: Ends, type: number, body: Buffer): Buffer =>
  Buffer.concat([macBytes(to), macBytes(from), u16(type), body]);

/** @param macs of the frame. @param ips of the packet in it */
export function udpFrame(macs: Ends, ips: Ends, port: number, text: string): Buffer {
  const data = Buffer.from(`<${text}>`);
  const udp = Buffer.concat([u16(9), u16(port), u16(8 + data.length), u16(0), data]);
  const head = (sum: number): Buffer =>
    Buffer.concat([
      Buffer.from([0x45, 0]),
      u16(20 + udp.length),
      u16(0),
      u16(0),
      Buffer.from([64, 17]),
      u16(sum),
      ipv4Bytes(ips.from),
      ipv4Bytes(ips.to),
    ]);
  return ethernet(macs, 0x0800, Buffer.concat([head(checksum(head(0))), udp]));
}

/** An ARP message, request 1 or answer 2, that says `sender` is at `senderMac`; the text is its padding. */
export function arpFrame(
  macs: Ends,
  operation: 1 | 2,
  sender: { readonly mac: string; readonly ip: string },
  targetIp: string,
  text = '',
): Buffer {
  const body = Buffer.concat([
    u16(1),
    u16(0x0800),
    Buffer.from([6, 4]),
    u16(operation),
    macBytes(sender.mac),
    ipv4Bytes(sender.ip),
    macBytes(macs.to),
    ipv4Bytes(targetIp),
    Buffer.from(`<${text}>`.padEnd(18)),
  ]);
  return ethernet(macs, 0x0806, body);
}

export const ICMPV6 = {
  routerAdvertisement: 134,
  neighbourSolicitation: 135,
  neighbourAdvertisement: 136,
  redirect: 137,
};

/** ICMPv6 about a target, its checksum right and its hop limit 255; the text is in an option that nobody knows. */
export function icmpv6Frame(macs: Ends, ips: Ends, type: number, target: string, text: string): Buffer {
  const data = Buffer.from(`<${text}>`);
  const length = Math.ceil((2 + data.length) / 8);
  const option = Buffer.concat([Buffer.from([250, length]), data, Buffer.alloc(length * 8 - 2 - data.length)]);
  const flags = type === ICMPV6.neighbourAdvertisement ? 0x60 : 0;
  const message = (sum: number): Buffer =>
    Buffer.concat([Buffer.from([type, 0]), u16(sum), Buffer.from([flags, 0, 0, 0]), ipv6Bytes(target), option]);
  const addresses = Buffer.concat([ipv6Bytes(ips.from), ipv6Bytes(ips.to)]);
  const size = message(0).length;
  const pseudo = Buffer.concat([addresses, Buffer.from([0, 0]), u16(size), Buffer.from([0, 0, 0, 58]), message(0)]);
  const head = Buffer.concat([Buffer.from([0x60, 0, 0, 0]), u16(size), Buffer.from([58, 255]), addresses]);
  return ethernet(macs, 0x86dd, Buffer.concat([head, message(checksum(pseudo))]));
}
