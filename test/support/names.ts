/** Questions that a program in a container asks of DNS, asked from the test: a socket of its namespace needs no program there. */
import { createSocket } from 'node:dgram';
import { closeSync, openSync } from 'node:fs';
import { type Answer, decode, encode, type Packet, type RecordType } from 'dns-packet';
import { bindSocket } from '../../src/drivers/network/bound-socket.ts';
import { inNetns } from '../../src/ffi/process/namespaces.ts';

const RESOLVER = '127.0.0.11';
const ANSWER_MS = 10_000;

let serial = 1;

/** Runs something in the network namespace of a process. */
export function inNetworkOf<T>(pid: number, inside: () => T): T {
  const netns = openSync(`/proc/${pid}/ns/net`, 'r');
  try {
    return inNetns(netns, inside);
  } finally {
    closeSync(netns);
  }
}

/** The answer to one question by UDP; null where none comes, or the port is closed. */
async function ask(pid: number, name: string, type: RecordType = 'A'): Promise<Packet | null> {
  const fd = inNetworkOf(pid, () => bindSocket({ address: '0.0.0.0', port: 0, protocol: 'udp' }));
  const socket = createSocket('udp4');
  socket.bind({ fd });
  const id = serial++ & 0xffff;
  try {
    return await new Promise<Packet | null>((resolve) => {
      const timer = setTimeout(() => resolve(null), ANSWER_MS);
      socket.on('error', () => resolve(null));
      socket.on('message', (bytes) => {
        clearTimeout(timer);
        resolve(decode(bytes));
      });
      socket.send(encode({ id, type: 'query', flags: 0x100, questions: [{ name, type, class: 'IN' }] }), 53, RESOLVER);
    });
  } finally {
    socket.close();
  }
}

const dataOf = (answer: Answer): string => ('data' in answer ? String(answer.data) : '');

/** What a name leads to, in the order of their numbers; none where it is unknown. */
export async function addressesOf(pid: number, name: string, type: 'A' | 'AAAA' = 'A'): Promise<string[]> {
  return ((await ask(pid, name, type))?.answers ?? []).map(dataOf).sort();
}

/** Names of an address. */
export async function namesOf(pid: number, address: string): Promise<string[]> {
  const name = `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  return ((await ask(pid, name, 'PTR'))?.answers ?? []).map(dataOf);
}
