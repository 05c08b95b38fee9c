/**
 * What supervisor and resolver say to each other. The resolver is a program of its own, without privileges, that answers the
 * DNS questions of containers from sockets that the supervisor made inside their sandboxes, and passes on to containers what
 * comes to published ports that the kernel cannot translate. It outlives the supervisor.
 *
 * Start. The supervisor makes two listening sockets of the same directory (`listenAt` of src/ffi/sockets/sockets.ts) and starts
 *
 *     node dist/resolver.js --program IDENTITY [--uid N --gid N]
 *
 * with descriptor 2 = a log file opened with O_APPEND (kept below 256 KiB by emptying it), descriptor 3 = the listening stream
 * socket `control.sock`, descriptor 4 = the listening socket of type `packets`, `descriptors.sock`. It closes all others. IDENTITY is
 * any text that differs between builds; `hello` gives it back, so that a supervisor sees whether another program runs. Both
 * sockets take peers of the uid that the program was started by. A supervisor that finds `control.sock` refusing
 * connections has no resolver: it removes both files and starts one.
 *
 * Control. On a connection to `control.sock` go messages of both sides: a length (u32, big-endian), and that many bytes of
 * JSON. The supervisor sends requests, each as `{ id, request }` with a number as `id`; the resolver answers each with one reply of that `id`,
 * in order. Requests may be sent without waiting for replies. A new connection that says hello ends the one before it.
 *
 * Descriptors go by a second connection, the lane, to `descriptors.sock` (`connectTo(path, 'packets')`). Neither side has to wait for
 * it to be readable: what a message on the control connection speaks of has been sent on the lane before. So, to begin:
 *
 *     1. connect the lane, and send the packet `laneName(name)` on it; `name` is 32 hex digits from a random source;
 *     2. connect to control.sock, and send `hello` with that name.
 *
 * A parcel is one packet on the lane: `parcelLabel(number)`, with one descriptor for each role, in the order of `roles`. The
 * sender sends the parcel first (`sendDescriptors`; false = the queue is full: wait for replies and try again), then the
 * message with its number, and closes its own copies when the reply has come. Numbers count from 1 for each connection and side.
 *
 * State. Networks have names, sandboxes say which networks they are in. Each state has a `digest`, any text that the supervisor
 * computes from the rest of it; the resolver only repeats it in `hello` and compares it in `change-network`. Order does not
 * matter: a sandbox may name networks that come later, and sockets may come before the state of their sandbox (questions are
 * then answered with SERVFAIL). Names are compared without case; they have no dot at their end.
 *
 * Relays. A socket of the host, bound by the supervisor, whose connections or datagrams go to a container. Its key names the
 * socket; a relay that gets another target keeps what is open to the one before.
 *
 * Replacement. To put a newer program in place: start it at a new directory, and for each sandbox of the old one `take-sockets`
 * from the old and `give-sockets` to the new one, for each relay `take-relay` and `set-relay`; then `end` the old one. Questions
 * and connections wait in the sockets meanwhile; questions that the old one has sent to servers of the host it still answers,
 * and connections that it relays go on, before it ends.
 */
import { TsdError } from '../model/errors/errors.ts';

/** Later versions only add kinds of requests, and fields that may be left out. */
export const RESOLVER_PROTOCOL = 1;

/**
 * What a socket of a sandbox is for. All are made inside its network namespace.
 * - `udp`, `tcp`: bound to where the container asks (127.0.0.11:53 or what is redirected to), `tcp` listening.
 * - `dial-…`: neither bound nor connected, for questions that go on from inside (`forwarding.from` = `inside`). The kernel
 *   gives such a socket a new random port at each connect(2) after it was disconnected, so the resolver uses the same few for
 *   ever: 8 of `dial-udp…` and 4 of `dial-tcp…` of the families of the servers are enough for 1,024 questions at a time.
 */
export const SOCKET_ROLES = ['udp', 'tcp', 'dial-udp4', 'dial-udp6', 'dial-tcp4', 'dial-tcp6'] as const;
export type SocketRole = (typeof SOCKET_ROLES)[number];

/** A DNS server: an IP address as text, without zone, and a port (53). */
export interface Server {
  readonly address: string;
  readonly port: number;
}

const DNS_PORT = 53;

export function serversAt(addresses: readonly string[]): readonly Server[] {
  return addresses.map((address) => ({ address, port: DNS_PORT }));
}

/** Where questions go that no network of the sandbox answers. At most three servers are asked, in order. */
export type Forwarding =
  /** To the servers of `set-host-servers`, from the namespace of the host. */
  | { readonly from: 'host' }
  /** To these (`--dns`, `dns:`), from inside the sandbox, by its `dial-…` sockets. 127.0.0.11 is left out: it would ask itself. */
  | { readonly from: 'inside'; readonly servers: readonly Server[] }
  /** Nowhere: SERVFAIL. For a container that is in internal networks alone and has no servers of its own. */
  | { readonly from: 'nowhere' };

/** Addresses of a name in one network. Several containers may share a name: their addresses are put together here. */
export interface NameRecord {
  /** `web`, `blog-web`, `0123456789ab`. */
  readonly name: string;
  /** Only sandboxes of this scope (their app) know the name; null: all that are in the network. Scoped ones are found first. */
  readonly scope: string | null;
  /** Both empty: the name is known, and has no address of any family. */
  readonly ipv4: readonly string[];
  readonly ipv6: readonly string[];
}

/** The answer to a PTR question for an address. */
export interface PointerRecord {
  readonly address: string;
  /** `web.front`. */
  readonly name: string;
}

/** What `front` in `web.front` may be: names of the network itself. */
export interface NetworkLabel {
  readonly label: string;
  readonly scope: string | null;
}

export interface NetworkState {
  /** Any text that names it. */
  readonly key: string;
  readonly digest: string;
  readonly labels: readonly NetworkLabel[];
  /** One for each name and scope. */
  readonly names: readonly NameRecord[];
  readonly pointers: readonly PointerRecord[];
}

/** The same network later. */
export interface NetworkChange {
  readonly key: string;
  /** Digest of the state that is changed. Where the resolver has another, it refuses with `stale`: send the whole state. */
  readonly from: string;
  readonly digest: string;
  /** New and changed names, whole. */
  readonly set: readonly NameRecord[];
  readonly unset: readonly Pick<NameRecord, 'name' | 'scope'>[];
  readonly setPointers: readonly PointerRecord[];
  /** Addresses. */
  readonly unsetPointers: readonly string[];
}

/** A name that only one container has for another: of a link. The other one may come later. */
export interface PrivateAlias {
  readonly alias: string;
  /** Key of the network in which `name` is looked up. */
  readonly network: string;
  readonly name: string;
}

export interface SandboxState {
  /** Container id. */
  readonly id: string;
  readonly digest: string;
  /** App of the container, null where it has none: see `NameRecord.scope`. */
  readonly scope: string | null;
  /** Keys, in gateway order: the first network that knows a name answers. */
  readonly networks: readonly string[];
  /** Looked up before all names of networks. */
  readonly aliases: readonly PrivateAlias[];
  readonly forwarding: Forwarding;
  /**
   * `ndots` that the user has set; null where the user has not. With one, an unknown name without a dot has no addresses:
   * it is not sent on for A and AAAA, so that it stays with the search list. Search lists are for resolv.conf: the resolver
   * is asked for whole names.
   */
  readonly ndots: number | null;
}

/** Where a relay leads: an address of a container, as text, and a port. */
export interface RelayTarget {
  readonly address: string;
  readonly port: number;
}

/** A socket of the host, and where its connections or datagrams go. */
export interface RelayState {
  /** Any text that names the socket. */
  readonly key: string;
  readonly protocol: 'tcp' | 'udp';
  readonly target: RelayTarget;
}

export type Request =
  /** First on each connection. */
  | { readonly kind: 'hello'; readonly version: number; readonly lane: string }
  /** Those of before stay until the connection ends; afterwards the program reads them from the host's file itself. */
  | { readonly kind: 'set-host-servers'; readonly digest: string; readonly servers: readonly Server[] }
  /** Whole state, new or in place of what was. */
  | { readonly kind: 'set-network'; readonly network: NetworkState }
  | { readonly kind: 'change-network'; readonly change: NetworkChange }
  | { readonly kind: 'remove-network'; readonly key: string }
  /** Whole state, new or in place of what was. Its sockets stay. */
  | { readonly kind: 'set-sandbox'; readonly sandbox: SandboxState }
  /** State and sockets. Removing what is not there succeeds. */
  | { readonly kind: 'remove-sandbox'; readonly id: string }
  /** Sockets in the place of all that the sandbox has of the same roles, which are closed. */
  | {
      readonly kind: 'give-sockets';
      readonly id: string;
      readonly parcel: number;
      readonly roles: readonly SocketRole[];
    }
  /**
   * All sockets of the sandbox, back on the lane before the reply. It stops reading them at once and forgets the sandbox.
   * Reply: `Taken`.
   */
  | { readonly kind: 'take-sockets'; readonly id: string }
  /**
   * A relay, or another target for one that it has. The parcel holds its one socket: bound, `tcp` listening. Without a parcel
   * the relay is one that it has; otherwise it refuses with `stale`.
   */
  | { readonly kind: 'set-relay'; readonly relay: RelayState; readonly parcel: number | null }
  /** Its socket is closed when the reply comes, and so is what is open. Removing what is not there succeeds. */
  | { readonly kind: 'remove-relay'; readonly key: string }
  /** Its socket, back on the lane before the reply. It accepts no more; what is open goes on. Reply: `TakenRelay`. */
  | { readonly kind: 'take-relay'; readonly key: string }
  /** Reply: `Stats`. */
  | { readonly kind: 'stats' }
  /** The program replies, and ends when no question waits and nothing is relayed. Reply: `Ending`. */
  | { readonly kind: 'end' };

export type RequestKind = Request['kind'];

export interface Hello {
  readonly version: number;
  readonly pid: number;
  /** What it was started with as --program. */
  readonly program: string;
  /** Null until they are set, and where the program has read others since. */
  readonly hostServers: string | null;
  readonly networks: readonly { readonly key: string; readonly digest: string }[];
  /** Digest null: it has sockets and no state. */
  readonly sandboxes: readonly {
    readonly id: string;
    readonly digest: string | null;
    readonly roles: readonly SocketRole[];
  }[];
  /** Left out by programs that know none. */
  readonly relays?: readonly RelayState[];
  /** It was asked to end, and does so when what it relays has ended. */
  readonly isEnding?: true;
}

interface TakenRelay {
  /** Null when it had none of that key. */
  readonly parcel: number | null;
}

/** Null of programs that relay nothing. */
type Ending = { readonly relaying: number } | null;

export interface Taken {
  /** Null when there were none: nothing is on the lane. */
  readonly parcel: number | null;
  readonly roles: readonly SocketRole[];
}

/** Counted since the program began, but for what says otherwise. */
export interface Stats {
  readonly questions: number;
  /** Answered from names. */
  readonly answered: number;
  /** Answered from the cache. */
  readonly cached: number;
  /** Sent on to servers; identical ones at the same time count once. */
  readonly forwarded: number;
  /** Answered with SERVFAIL, because no server answered or too many questions waited. */
  readonly failed: number;
  /** No question in it, or none that is answered. */
  readonly refused: number;
  /** Answers of servers that were not taken: of another question, id or form. */
  readonly distrusted: number;
  /** Now. */
  readonly waiting: number;
  readonly sandboxes: number;
  /** Sockets of the host, now. */
  readonly relays: number;
  /** Connections and clients of UDP that were passed on. */
  readonly relayed: number;
  /** Those of them that are open now. */
  readonly relaying: number;
  /** Connections whose container did not take them. */
  readonly relaysFailed: number;
  readonly cacheBytes: number;
  readonly residentBytes: number;
}

interface Replies {
  readonly hello: Hello;
  readonly 'take-sockets': Taken;
  readonly 'take-relay': TakenRelay;
  readonly stats: Stats;
  readonly end: Ending;
}

/** What comes back for each kind of request; null where there is nothing to say. */
export type ReplyTo<Kind extends RequestKind> = Kind extends keyof Replies ? Replies[Kind] : null;

/**
 * - `bad-request`: not understood, as by an older program; or descriptors that are no sockets of their role.
 * - `stale`: the state to change is not the one it has.
 * - `no-parcel`: the parcel is not on the lane.
 * - `full`: it may not have more descriptors open.
 */
export type Refusal = 'bad-request' | 'stale' | 'no-parcel' | 'full';

export type Reply =
  | { readonly id: number; readonly result: ReplyTo<RequestKind> }
  | { readonly id: number; readonly refused: Refusal; readonly message: string };

/** What a message of the resolver has to be. @throws TsdError TSD_BAD_REQUEST; what is inside `result` is not looked at */
export function replyOf(message: unknown): Reply {
  if (typeof message === 'object' && message !== null && 'id' in message && typeof message.id === 'number') {
    if ('result' in message) return message as Reply;
    if ('refused' in message && 'message' in message) return message as Reply;
  }
  throw new TsdError('TSD_BAD_REQUEST', 'the resolver sent something that is no reply');
}

const LENGTH_BYTES = 4;
/** 4,096 names with eight addresses each take 2 MiB. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
const LANE_NAME = /^[0-9a-f]{32}$/;
/** Bytes of each packet on the lane. */
export const LANE_PACKET_BYTES = 32;

/** A message as it is written to the control connection. */
export function encodeMessage(message: unknown): Buffer {
  const text = JSON.stringify(message);
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + Buffer.byteLength(text));
  if (bytes.length - LENGTH_BYTES > MAX_MESSAGE_BYTES) {
    throw new TsdError('TSD_BUG', `a message of ${bytes.length} bytes to the resolver`);
  }
  bytes.writeUInt32BE(bytes.length - LENGTH_BYTES, 0);
  bytes.write(text, LENGTH_BYTES);
  return bytes;
}

/** Cuts what arrives into messages. */
export class MessageDecoder {
  #chunks: Buffer[] = [];
  #buffered = 0;
  readonly #maxBytes: number;

  /** @param maxBytes of one message; a supervisor takes no more than it has to from a program that others may have taken over. */
  constructor(maxBytes: number = MAX_MESSAGE_BYTES) {
    this.#maxBytes = maxBytes;
  }

  /** Messages completed by `chunk`, as parsed JSON. @throws TsdError TSD_BAD_REQUEST for what is none */
  push(chunk: Buffer): readonly unknown[] {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    const messages: unknown[] = [];
    for (let text = this.#next(); text !== null; text = this.#next()) messages.push(parsed(text));
    return messages;
  }

  #next(): string | null {
    if (this.#buffered < LENGTH_BYTES) return null;
    if ((this.#chunks[0] as Buffer).length < LENGTH_BYTES) this.#chunks = [Buffer.concat(this.#chunks)];
    const length = (this.#chunks[0] as Buffer).readUInt32BE(0);
    if (length > this.#maxBytes) {
      throw new TsdError('TSD_BAD_REQUEST', `a message of ${length} bytes on the resolver's socket`);
    }
    const end = LENGTH_BYTES + length;
    if (this.#buffered < end) return null;
    const all = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    this.#chunks = all.length > end ? [all.subarray(end)] : [];
    this.#buffered -= end;
    return all.toString('utf8', LENGTH_BYTES, end);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TsdError('TSD_BAD_REQUEST', "a message on the resolver's socket is no JSON", { cause });
  }
}

/** First packet on a lane. @param name 32 hex digits */
export function laneName(name: string): Buffer {
  if (!LANE_NAME.test(name)) throw new TsdError('TSD_BAD_REQUEST', 'the name of a lane has 32 hex digits');
  return Buffer.from(name);
}

/** Bytes of the packet that carries a parcel. */
export function parcelLabel(number: number): Buffer {
  return Buffer.from(String(number).padStart(LANE_PACKET_BYTES, '0'));
}
