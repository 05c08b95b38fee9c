/**
 * IPv4 addresses of a name, asked of name servers through sockets of another network namespace. Node's own lookups open
 * theirs later and in other threads, which are in the host's namespace.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { isIPv4, Socket } from 'node:net';
import { type DecodedPacket, decode, encode, type Packet, RECURSION_DESIRED } from 'dns-packet';

export interface NameServers {
  readonly servers: readonly string[];
  readonly search: readonly string[];
}

/** A socket of the namespace, not connected; the caller closes it. */
export type OpenSocket = (protocol: 'tcp' | 'udp', family: 'ipv4' | 'ipv6') => number;

const DNS_PORT = 53;
/** As in resolv.conf(5). */
const ANSWER_MS = 5_000;
const ATTEMPTS = 2;
const MAX_ANSWER_BYTES = 65_535;
/** Of one name; more are not tried. */
const MAX_ADDRESSES = 16;

/** The answer of a server for a name: its addresses, none, or a failure. */
type Answer = readonly string[] | 'unknown';

/**
 * Addresses of a name; empty where it has none.
 * @throws Error when no server answers, or the reason of the signal.
 */
export async function lookUpName(
  name: string,
  { servers, search }: NameServers,
  open: OpenSocket,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (isIPv4(name)) return [name];
  // A name of this host, wherever it is asked for (RFC 6761).
  if (/^(.+\.)?localhost\.?$/i.test(name)) return ['127.0.0.1'];
  const usable = servers.filter(isIPv4);
  let answered = false;
  for (const candidate of candidates(name, search)) {
    const answer = await askServers(candidate, usable, open, signal);
    if (answer === 'unknown') continue;
    answered = true;
    if (answer.length > 0) return answer.slice(0, MAX_ADDRESSES);
  }
  if (answered) return [];
  const asked = usable.length === 0 ? 'the build has no name server' : `no answer from ${usable.join(', ')}`;
  throw new Error(`name ${name}: ${asked}`);
}

/** With a dot in it a name is tried as it is first, as resolvers do. */
function candidates(name: string, search: readonly string[]): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const longer = search.filter((domain) => domain !== '.').map((domain) => `${name}.${domain}`);
  return name.includes('.') ? [name, ...longer] : [...longer, name];
}

async function askServers(
  name: string,
  servers: readonly string[],
  open: OpenSocket,
  signal: AbortSignal,
): Promise<Answer> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    for (const server of servers) {
      const question = questionOf(name);
      const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
      const reply = await overUdp(question, server, open, limit)
        .then((first) => (first.flag_tc ? overTcp(question, server, open, limit) : first))
        .catch(() => null);
      signal.throwIfAborted();
      const answer = reply === null ? 'unknown' : answerOf(reply);
      if (answer !== 'unknown') return answer;
    }
  }
  return 'unknown';
}

function questionOf(name: string): Packet {
  const questions = [{ type: 'A' as const, class: 'IN' as const, name }];
  return { type: 'query', id: randomInt(0x10000), flags: RECURSION_DESIRED, questions };
}

const NO_ERROR = 0;
const NO_SUCH_NAME = 3;

function answerOf(reply: DecodedPacket): Answer {
  // The low four bits of the flags (RFC 1035, 4.1.1).
  const code = (reply.flags ?? 0) & 0xf;
  if (code === NO_SUCH_NAME) return [];
  if (code !== NO_ERROR) return 'unknown';
  return (reply.answers ?? []).flatMap((record) => (record.type === 'A' && isIPv4(record.data) ? [record.data] : []));
}

/** Null for what answers another question, or is no answer at all. */
function replyTo(question: Packet, bytes: Buffer): DecodedPacket | null {
  try {
    const reply = decode(bytes);
    const [asked, ...more] = reply.questions ?? [];
    const same = asked?.type === 'A' && asked.name.toLowerCase() === question.questions?.[0]?.name.toLowerCase();
    return reply.type === 'response' && reply.id === question.id && same && more.length === 0 ? reply : null;
  } catch {
    return null;
  }
}

/** What settles a question once, whichever comes first: a reply, an error, or the end of the signal. */
interface Settle {
  readonly reply: (reply: DecodedPacket) => void;
  readonly fail: (error: Error) => void;
}

/** Asks, and closes the socket when the question is settled. @param ask returns what closes the socket */
function settledBy(signal: AbortSignal, ask: (settle: Settle) => () => void): Promise<DecodedPacket> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      signal.removeEventListener('abort', stop);
      close();
      settle();
    };
    const stop = (): void => end(() => reject(signal.reason as Error));
    signal.addEventListener('abort', stop, { once: true });
    const close = ask({
      reply: (reply) => end(() => resolve(reply)),
      fail: (error) => end(() => reject(error)),
    });
  });
}

async function overUdp(
  question: Packet,
  server: string,
  open: OpenSocket,
  signal: AbortSignal,
): Promise<DecodedPacket> {
  signal.throwIfAborted();
  const fd = open('udp', 'ipv4');
  return settledBy(signal, ({ reply, fail }) => {
    const socket = createSocket('udp4');
    socket.on('error', fail);
    socket.on('message', (bytes) => {
      const answer = replyTo(question, bytes);
      if (answer !== null) reply(answer);
    });
    // Connected, it takes what comes from the server alone.
    socket.on('listening', () => socket.connect(DNS_PORT, server));
    socket.on('connect', () => socket.send(encode(question)));
    socket.bind({ fd });
    return () => socket.close();
  });
}

async function overTcp(
  question: Packet,
  server: string,
  open: OpenSocket,
  signal: AbortSignal,
): Promise<DecodedPacket> {
  signal.throwIfAborted();
  const socket = socketOf(open('tcp', 'ipv4'));
  return settledBy(signal, ({ reply, fail }) => {
    let received = Buffer.alloc(0);
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('it ended without an answer')));
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      const length = received.length < 2 ? MAX_ANSWER_BYTES : received.readUInt16BE(0);
      if (received.length < 2 + length) return;
      const answer = replyTo(question, received.subarray(2, 2 + length));
      if (answer === null) fail(new Error('it answers something else'));
      else reply(answer);
    });
    socket.connect(DNS_PORT, server, () => {
      const bytes = encode(question);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(bytes.length);
      socket.write(Buffer.concat([length, bytes]));
    });
    return () => socket.destroy();
  });
}

/** A socket that is made already and not connected. Without manualStart it would be read before it is. */
export function socketOf(fd: number): Socket {
  return new Socket({ fd, manualStart: true } as ConstructorParameters<typeof Socket>[0]);
}
