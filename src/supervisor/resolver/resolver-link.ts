/** A conversation with a resolver: requests and replies on one connection, descriptors beside on another one. */
import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { receiveDescriptors, sendDescriptors } from '../../ffi/sockets/descriptors.ts';
import { peerUid } from '../../ffi/sockets/peer.ts';
import { connectTo } from '../../ffi/sockets/sockets.ts';
import { type Timers, within } from '../../model/clock.ts';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import {
  encodeMessage,
  type Hello,
  LANE_PACKET_BYTES,
  laneName,
  MessageDecoder,
  parcelLabel,
  RESOLVER_PROTOCOL,
  type Refusal,
  type RelayState,
  type Reply,
  type ReplyTo,
  type Request,
  type RequestKind,
  replyOf,
  type SocketRole,
  type Taken,
} from '../../resolver/protocol.ts';

export const CONTROL_SOCKET = 'control.sock';
/**
 * It runs as a user that nothing else is: Debian and systemd give this number to none, and `nobody` may have processes.
 */
export const UNPRIVILEGED = 65_529;
export const LANE_SOCKET = 'descriptors.sock';

/** A busy host may take long to start a program; one that answers no later hangs. */
const ANSWER_MS = 30_000;
/** Parcels under way: the kernel queues ten for a lane. */
const PARCELS = 8;

/** Full queues of connections are waited for, as those of a busy resolver. */
const CONNECT_TRIES = 50;
const CONNECT_AGAIN_MS = 100;
/** Answers of connect(2) where no process listens any more. */
const GONE = new Set(['ECONNREFUSED', 'ENOENT']);

/** A socket of a sandbox, and what it is for. */
export interface RoleSocket {
  readonly role: SocketRole;
  readonly fd: number;
}

export function closeSockets(sockets: readonly RoleSocket[]): void {
  for (const { fd } of sockets) closeSync(fd);
}

/** What the resolver refused, by the word that the protocol has for it. */
export class RefusedError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal, message: string) {
    super(message);
    this.refusal = refusal;
  }
}

/** It could not be found out whether one runs: what is there stays as it is. */
export class UnseenError extends TsdError {
  constructor(message: string, cause: unknown) {
    super('TSD_RESOLVER', message, { class: 'unavailable', cause });
  }
}

type RequestOf<Kind extends RequestKind> = Extract<Request, { readonly kind: Kind }>;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class ResolverLink {
  readonly directory: string;
  readonly #timers: Timers;
  readonly #control: Socket;
  readonly #lane: number;
  readonly #waiting = new Map<number, Waiting>();
  /** Calls that wait for room on the lane. */
  readonly #queued: (() => void)[] = [];
  readonly #onEnd: ((error: TsdError) => void)[] = [];
  #hello: Hello | null = null;
  #serial = 0;
  #parcel = 0;
  #underWay = 0;
  #ended: TsdError | null = null;

  private constructor(directory: string, timers: Timers, control: Socket, lane: number) {
    this.directory = directory;
    this.#timers = timers;
    this.#control = control;
    this.#lane = lane;
    const decoder = new MessageDecoder();
    control.on('data', (chunk) => {
      try {
        for (const message of decoder.push(chunk)) this.#answer(replyOf(message));
      } catch (error) {
        this.#end(toTsdError(error));
      }
    });
    control.on('error', (error) => this.#end(unavailable(error.message, error)));
    control.on('close', () => this.#end(unavailable('it closed the connection')));
  }

  /**
   * @throws UnseenError; TsdError class not-found where no process listens any more; timeout where it says nothing;
   * denied where somebody else's listens
   */
  static async open(directory: string, timers: Timers): Promise<ResolverLink> {
    const path = join(directory, CONTROL_SOCKET);
    const control = await connected(path, timers);
    const name = randomBytes(16).toString('hex');
    let lane = -1;
    try {
      const uid = peerUid(control);
      // The kernel names who called listen(2) last: the program does when it has given up its privileges.
      if (uid !== process.geteuid?.() && uid !== UNPRIVILEGED) {
        throw new TsdError('TSD_RESOLVER', `${path} was made by another user`, { class: 'denied' });
      }
      lane = laneOf(join(directory, LANE_SOCKET));
      sendDescriptors(lane, laneName(name), []);
    } catch (error) {
      control.destroy();
      if (lane >= 0) closeSync(lane);
      throw error;
    }
    // The lane is its own from here on: it has closed it where the conversation ends before the first answer.
    const link = new ResolverLink(directory, timers, control, lane);
    try {
      link.#hello = await link.request({ kind: 'hello', version: RESOLVER_PROTOCOL, lane: name });
      return link;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  /** Whether it can be asked no more. */
  get isOver(): boolean {
    return this.#ended !== null;
  }

  /** What it said first. */
  get hello(): Hello {
    if (this.#hello === null) throw new TsdError('TSD_BUG', 'a resolver that has said nothing');
    return this.#hello;
  }

  /** Calls back once: with why the conversation has ended. */
  onEnd(ended: (error: TsdError) => void): void {
    if (this.#ended === null) this.#onEnd.push(ended);
    else ended(this.#ended);
  }

  /** @throws RefusedError; TsdError when the conversation ended before the reply */
  async request<Kind extends RequestKind>(request: RequestOf<Kind>): Promise<ReplyTo<Kind>> {
    if (this.#ended !== null) throw this.#ended;
    const id = ++this.#serial;
    const reply = new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    this.#control.write(encodeMessage({ id, request }));
    const answer = await within(this.#timers, ANSWER_MS, reply, LATE);
    if (answer !== LATE) return answer as ReplyTo<Kind>;
    const error = new TsdError('TSD_RESOLVER', `no answer to ${request.kind} within ${ANSWER_MS / 1000} s`, {
      class: 'timeout',
    });
    this.#end(error);
    throw error;
  }

  /** The sockets are the resolver's from now on, and closed here whatever becomes of it. */
  async give(id: string, sockets: readonly RoleSocket[]): Promise<void> {
    const roles = sockets.map(({ role }) => role);
    const fds = sockets.map(({ fd }) => fd);
    await this.#giveParcel(fds, (parcel) => ({ kind: 'give-sockets', id, parcel, roles }));
  }

  /** As {@link give}, of a relay's socket. */
  async giveRelay(relay: RelayState, fd: number): Promise<void> {
    await this.#giveParcel([fd], (parcel) => ({ kind: 'set-relay', relay, parcel }));
  }

  /** All sockets that it has of a sandbox; they belong to the caller. */
  async take(id: string): Promise<readonly RoleSocket[]> {
    const { parcel, roles }: Taken = await this.request({ kind: 'take-sockets', id });
    if (parcel === null) return [];
    const descriptors = this.#received(roles.length, id.slice(0, 12));
    return roles.map((role, index) => ({ role, fd: descriptors[index] as number }));
  }

  /** The socket of a relay, which belongs to the caller; null where it has none. */
  async takeRelay(key: string): Promise<number | null> {
    const { parcel } = await this.request({ kind: 'take-relay', key });
    return parcel === null ? null : (this.#received(1, key)[0] as number);
  }

  #received(count: number, what: string): readonly number[] {
    const received = receiveDescriptors(this.#lane, LANE_PACKET_BYTES);
    if (received?.descriptors.length === count) return received.descriptors;
    for (const fd of received?.descriptors ?? []) closeSync(fd);
    throw unavailable(`it sent other sockets of ${what} than it said`);
  }

  async #giveParcel(
    fds: readonly number[],
    request: (parcel: number) => RequestOf<'give-sockets' | 'set-relay'>,
  ): Promise<void> {
    try {
      while (this.#underWay >= PARCELS) await new Promise<void>((next) => this.#queued.push(next));
      this.#underWay++;
      await this.#send(fds, request).finally(() => {
        this.#underWay--;
        this.#queued.shift()?.();
      });
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  }

  async #send(
    fds: readonly number[],
    request: (parcel: number) => RequestOf<'give-sockets' | 'set-relay'>,
  ): Promise<void> {
    if (this.#ended !== null) throw this.#ended;
    const parcel = ++this.#parcel;
    if (!sendDescriptors(this.#lane, parcelLabel(parcel), fds)) throw unavailable('it takes no more descriptors');
    await this.request(request(parcel));
  }

  close(): void {
    this.#end(unavailable('the conversation is over'));
  }

  #answer(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('refused' in reply) waiting?.reject(new RefusedError(reply.refused, reply.message));
    else waiting?.resolve(reply.result);
  }

  #end(error: TsdError): void {
    if (this.#ended !== null) return;
    this.#ended = error;
    this.#control.destroy();
    closeSync(this.#lane);
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
    for (const next of this.#queued.splice(0)) next();
    for (const ended of this.#onEnd.splice(0)) ended(error);
  }
}

async function connected(path: string, timers: Timers): Promise<Socket> {
  for (let tries = 1; ; tries++) {
    try {
      return await connectedOnce(path);
    } catch (thrown) {
      const cause = thrown as NodeJS.ErrnoException;
      const message = `connect to ${path}: ${cause.message}`;
      if (GONE.has(cause.code ?? '')) throw new TsdError('TSD_RESOLVER', message, { class: 'not-found', cause });
      if (cause.code !== 'EAGAIN' || tries === CONNECT_TRIES) throw new UnseenError(message, cause);
      await new Promise<void>((next) => timers.after(CONNECT_AGAIN_MS, next));
    }
  }
}

function connectedOnce(path: string): Promise<Socket> {
  return new Promise<Socket>((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}

function laneOf(path: string): number {
  try {
    return connectTo(path, 'packets');
  } catch (thrown) {
    const error = toTsdError(thrown);
    const { ECONNREFUSED, ENOENT } = constants.errno;
    throw error.errno === ECONNREFUSED || error.errno === ENOENT ? error : new UnseenError(error.message, error);
  }
}

const LATE = Symbol('late');

function unavailable(what: string, cause?: Error): TsdError {
  return new TsdError('TSD_RESOLVER', `the resolver: ${what}`, { class: 'unavailable', cause });
}
