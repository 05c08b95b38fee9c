/**
 * Netlink: messages in Buffers and a socket that sends them. Layouts and constants: linux/netlink.h, netlink(7).
 * All calls are synchronous: the kernel answers within sendto(2), so a read never waits, and an answer that is not there was
 * lost.
 */
import { constants } from 'node:os';
import { classOfErrnoName } from '../../model/errors/errno-classes.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { errnoName, sysError } from '../call/errno.ts';
import { syscall, trySyscall } from '../call/native.ts';
import { RACES, type RacingAnswer } from '../call/races.ts';
import { retried } from '../call/retry.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
const HEADER_BYTES = 16;

const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_DUMP = 0x300;
export const NLM_F_CREATE = 0x400;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLM_F_DUMP_INTR = 0x10;

const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

/** The kernel builds dump replies of at most 32 KiB when the reader offers that much (netlink_recvmsg). */
const RECEIVE_BYTES = 64 * 1024;
/** One for all sockets: what is read is used up or copied before the next read. */
const receiveBuffer = Buffer.alloc(RECEIVE_BYTES);
const MSG_DONTWAIT = 0x40;

/** Results of a read when the buffer overflowed, and when nothing is left to read. */
type Lost = 'ENOBUFS' | 'EAGAIN';
const LOST: ReadonlyMap<number, Lost> = new Map<number, Lost>([
  [-constants.errno.ENOBUFS, 'ENOBUFS'],
  [-constants.errno.EAGAIN, 'EAGAIN'],
]);

/** A request; `step` says in words what it does, for the error. */
export interface NetlinkMessage {
  readonly step: string;
  readonly type: number;
  readonly flags: number;
  /** Family header and attributes. */
  readonly body: Buffer;
}

const align = (length: number): number => (length + 3) & ~3;

/** One attribute, padded. A string is sent with its terminating NUL, a number as u32. */
export function attribute(type: number, value: Buffer | string | number): Buffer {
  const payload =
    typeof value === 'string' ? Buffer.from(`${value}\0`) : typeof value === 'number' ? u32(value) : value;
  const out = Buffer.alloc(align(4 + payload.length));
  out.writeUInt16LE(4 + payload.length, 0);
  out.writeUInt16LE(type, 2);
  payload.copy(out, 4);
  return out;
}

export function nested(type: number, ...attributes: readonly Buffer[]): Buffer {
  return attribute(type | NLA_F_NESTED, Buffer.concat(attributes));
}

export function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value >>> 0);
  return out;
}

/**
 * The attributes between `start` and the end, by type; of a repeated type the last one. Buffers are views.
 * @param wanted the types to look at, for long messages; all when left out.
 */
export function parseAttributes(bytes: Buffer, start: number, wanted?: ReadonlySet<number>): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  let at = start;
  while (at + 4 <= bytes.length) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > bytes.length) break;
    const type = bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK;
    if (wanted?.has(type) !== false) found.set(type, bytes.subarray(at + 4, at + length));
    at += align(length);
  }
  return found;
}

/**
 * Calls for each attribute between two places with its type and where its value stands: for long lists, in which
 * {@link parseAttributes} would make more objects than there are values.
 */
export function eachAttribute(
  bytes: Buffer,
  start: number,
  end: number,
  use: (type: number, from: number, to: number) => void,
): void {
  for (let at = start; at + 4 <= end; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > end) return;
    use(bytes.readUInt16LE(at + 2) & NLA_TYPE_MASK, at + 4, at + length);
    at += align(length);
  }
}

interface Received {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
}

function endOfMessage(bytes: Buffer, at: number, available: number): number {
  const length = bytes.readUInt32LE(at);
  if (length >= HEADER_BYTES && at + length <= available) return at + length;
  throw new TsdError('TSD_BUG', `netlink message of ${length} bytes in ${available - at}`);
}

function messageAt(bytes: Buffer, at: number, end: number): Received {
  return {
    type: bytes.readUInt16LE(at + 4),
    flags: bytes.readUInt16LE(at + 6),
    sequence: bytes.readUInt32LE(at + 8),
    body: bytes.subarray(at + HEADER_BYTES, end),
  };
}

function* splitMessages(bytes: Buffer): Generator<Received> {
  for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
    const end = endOfMessage(bytes, at, bytes.length);
    yield messageAt(bytes, at, end);
    at = align(end);
  }
}

/** The kernel's sentence in an NLMSG_ERROR, where it gave one. */
function errorText({ flags, body }: Received): string {
  if ((flags & NLM_F_ACK_TLVS) === 0) return '';
  const echoed = (flags & NLM_F_CAPPED) !== 0 ? HEADER_BYTES : align(body.readUInt32LE(4));
  const text = parseAttributes(body, 4 + echoed).get(NLMSGERR_ATTR_MSG);
  return text === undefined ? '' : `: ${text.toString('utf8').replace(/\0$/, '')}`;
}

function errorOf(message: Received, step: string): TsdError {
  const errno = -message.body.readInt32LE(0);
  return new TsdError('TSD_NETWORK', `${step}: ${errnoName(errno)}${errorText(message)}`, {
    class: classOfErrnoName(errnoName(errno), 'netlink'),
    errno,
    step,
  });
}

interface Reading<T> {
  readonly found: T[];
  /** Why it is not whole, null when it is. */
  readonly torn: RacingAnswer | null;
}

/** Reads until the result is a consistent snapshot. @throws TsdError TSD_NETWORK, class unavailable, when it never is. @internal */
export function readWhole<T>(step: string, readOnce: () => Reading<T>): T[] {
  const { found, torn } = retried('netlink dump', readOnce, (reading) => reading.torn);
  if (torn === null) return found;
  const { tries } = RACES['netlink dump'].retried;
  const what = torn === 'NLM_F_DUMP_INTR' ? 'it changed' : 'answers were lost';
  throw new TsdError('TSD_NETWORK', `${step}: ${what} each of ${tries} times it was read`, {
    class: 'unavailable',
    step,
  });
}

/** A netlink socket of the network namespace it was opened in, whatever namespace the thread is in later. */
export class NetlinkSocket {
  readonly #fd: number;
  #sequence = 0;

  /**
   * @param protocol NETLINK_ROUTE, NETLINK_NETFILTER
   * @param strict the kernel obeys all that a dump asks for, where it otherwise passes over what older ones did not know
   */
  constructor(protocol: number, strict = false) {
    this.#fd = syscall('open netlink socket', 'socket', AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
    const one = Buffer.alloc(64);
    one.writeUInt32LE(1);
    trySyscall('setsockopt', this.#fd, SOL_NETLINK, NETLINK_EXT_ACK, one, 4);
    if (strict) syscall('ask for strict dumps', 'setsockopt', this.#fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, one, 4);
  }

  /**
   * Sends requests in one call; the kernel carries them out in order and continues after one that fails.
   * @throws TsdError TSD_NETWORK for the first that failed, with errno and its step; class unavailable when answers found no
   * room: then it is not known what was carried out.
   */
  request(messages: readonly NetlinkMessage[]): void {
    const last = messages.length - 1;
    if (last < 0) return;
    const steps = new Map<number, string>();
    const packets = messages.map((message, index) => {
      const sequence = ++this.#sequence;
      steps.set(sequence, message.step);
      return encode(message, message.flags | NLM_F_REQUEST | (index === last ? NLM_F_ACK : 0), sequence);
    });
    const final = this.#sequence;
    this.#send(Buffer.concat(packets), messages[0]?.step ?? '');
    let failure: TsdError | null = null;
    for (;;) {
      const received = this.#receive(messages[last]?.step ?? '');
      if (typeof received === 'string') throw lostAnswers(messages[last]?.step ?? '');
      for (const reply of splitMessages(receiveBuffer.subarray(0, received))) {
        const step = steps.get(reply.sequence);
        if (reply.type !== NLMSG_ERROR || step === undefined) continue;
        if (reply.body.readInt32LE(0) !== 0) failure ??= errorOf(reply, step);
        if (reply.sequence !== final) continue;
        if (failure !== null) throw failure;
        return;
      }
    }
  }

  /**
   * Bodies of all answers to a dump, or of the single answer to a get. A dump that the kernel marks as torn by a change
   * is read again. Buffers stay valid.
   * @throws TsdError TSD_NETWORK, class unavailable when no attempt came whole
   */
  query(message: NetlinkMessage): Buffer[] {
    return this.dump(message, (bytes, start, end) => Buffer.from(bytes.subarray(start, end)));
  }

  /**
   * As {@link query} for dumps of many small answers. `read` is given the bytes in which a body stands between two
   * places; they are for the time of the call.
   */
  dump<T>(message: NetlinkMessage, read: (bytes: Buffer, start: number, end: number) => T): T[] {
    return readWhole(message.step, () => this.#readOnce(message, read));
  }

  #readOnce<T>(message: NetlinkMessage, read: (bytes: Buffer, start: number, end: number) => T): Reading<T> {
    const isDump = (message.flags & NLM_F_DUMP) === NLM_F_DUMP;
    const sequence = ++this.#sequence;
    this.#send(encode(message, message.flags | NLM_F_REQUEST, sequence), message.step);
    const found: T[] = [];
    let torn: RacingAnswer | null = null;
    for (;;) {
      const length = this.#receive(message.step);
      if (length === 'EAGAIN') return { found, torn: torn ?? length };
      // The dump continues, and has to end before the next one.
      if (length === 'ENOBUFS') {
        torn = length;
        continue;
      }
      for (let at = 0; at + HEADER_BYTES <= length; ) {
        const end = endOfMessage(receiveBuffer, at, length);
        const type = receiveBuffer.readUInt16LE(at + 4);
        if (receiveBuffer.readUInt32LE(at + 8) === sequence) {
          if ((receiveBuffer.readUInt16LE(at + 6) & NLM_F_DUMP_INTR) !== 0) torn = 'NLM_F_DUMP_INTR';
          if (type === NLMSG_DONE) return { found, torn };
          if (type === NLMSG_ERROR) throw errorOf(messageAt(receiveBuffer, at, end), message.step);
          found.push(read(receiveBuffer, at + HEADER_BYTES, end));
          if (!isDump) return { found, torn };
        }
        at = align(end);
      }
    }
  }

  close(): void {
    trySyscall('close', this.#fd);
  }

  #send(packet: Buffer, step: string): void {
    syscall(step, 'sendto', this.#fd, packet, packet.length, 0, null, 0);
  }

  /** Bytes of an answer in the buffer, or why there is none. */
  #receive(step: string): number | Lost {
    const length = trySyscall('recvfrom', this.#fd, receiveBuffer, RECEIVE_BYTES, MSG_DONTWAIT, null, null);
    if (length >= 0) return length;
    const lost = LOST.get(length);
    if (lost === undefined) throw sysError('recvfrom', -length, step);
    return lost;
  }
}

function lostAnswers(step: string): TsdError {
  const message = `${step}: the kernel's answers found no room, so it is not known what was carried out`;
  return new TsdError('TSD_NETWORK', message, { class: 'unavailable', errno: constants.errno.ENOBUFS, step });
}

function encode(message: NetlinkMessage, flags: number, sequence: number): Buffer {
  const length = HEADER_BYTES + message.body.length;
  const out = Buffer.alloc(align(length));
  out.writeUInt32LE(length, 0);
  out.writeUInt16LE(message.type, 4);
  out.writeUInt16LE(flags, 6);
  out.writeUInt32LE(sequence, 8);
  message.body.copy(out, HEADER_BYTES);
  return out;
}
