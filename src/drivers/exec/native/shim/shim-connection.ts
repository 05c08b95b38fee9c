import { Socket } from 'node:net';
import { constants } from 'node:os';
import { sysError } from '../../../../ffi/call/errno.ts';
import { connectTo, duplicateSocket } from '../../../../ffi/sockets/sockets.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import {
  ANSWER,
  decodeExit,
  decodeLaunchReport,
  decodeResult,
  decodeStatus,
  encodeFrame,
  type Frame,
  FrameDecoder,
  type LaunchReport,
  REQUEST,
  type ShimStatus,
} from './shim-protocol.ts';

const { ENOENT, ECONNREFUSED, ECONNRESET } = constants.errno;
/** Errors of connect(2) that mean no shim listens. */
const GONE: ReadonlySet<number | undefined> = new Set([ENOENT, ECONNREFUSED, ECONNRESET]);

/** A shim answers within a millisecond; one that takes this long hangs. */
const ANSWER_TIMEOUT_MS = 5_000;

/** Requests that are answered when the payload has read. */
const WAITS_FOR_PAYLOAD: ReadonlySet<number> = new Set([REQUEST.input, REQUEST.inputEnd]);

interface Waiting {
  resolve(answer: Frame): void;
  reject(error: TsdError): void;
}

/** What a shim says without being asked. */
export interface ShimEvents {
  /** Return false to have no more output delivered until {@link ShimConnection.resume}. */
  output?(stream: 'stdout' | 'stderr', bytes: Buffer): boolean;
  exit?(exitCode: number): void;
  /** The payload has ended, and the exit record cannot be written for now. */
  unrecorded?(errno: number): void;
  /** The connection is gone; always last, and called once. */
  closed?(): void;
}

/**
 * One conversation with one shim. Requests are answered in order; events arrive in between and are kept until somebody
 * listens.
 */
export class ShimConnection {
  readonly #reader: Socket;
  readonly #writer: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #waiting: Waiting[] = [];
  readonly #unheard: Frame[] = [];
  #events: ShimEvents | null = null;
  #awaitingLaunch: { resolve(launched: LaunchReport): void; reject(error: TsdError): void } | null = null;
  #open = true;

  private constructor(reader: Socket, writer: Socket) {
    this.#reader = reader;
    this.#writer = writer;
    reader.on('data', (chunk: Buffer) => {
      for (const frame of this.#decoder.push(chunk)) this.#receive(frame);
      if (this.#decoder.foreignVersion !== null) this.close();
    });
    // The reader's 'close' says all there is to say: the shim is gone.
    for (const socket of new Set([reader, writer])) socket.on('error', () => {});
    reader.on('close', () => this.#closed());
  }

  /** Takes over a connected descriptor; it belongs to the connection from now on. */
  static ofRun(fd: number): ShimConnection {
    const socket = new Socket({ fd, readable: true, writable: true });
    return new ShimConnection(socket, socket);
  }

  /**
   * As {@link ofRun}, for a session, whose output and exit code stand nowhere else: Node throws away what it has not read
   * of a socket that it cannot write to any more, so requests go out through a second descriptor.
   */
  static ofSession(fd: number): ShimConnection {
    const writer = new Socket({ fd: duplicateSocket(fd), readable: false, writable: true });
    return new ShimConnection(new Socket({ fd, readable: true, writable: false }), writer);
  }

  /**
   * Null when nothing listens at the path: the shim is gone. Other failures are thrown.
   * @param take {@link ofRun} or {@link ofSession}
   */
  static connect(path: string, take: (fd: number) => ShimConnection): ShimConnection | null {
    let fd: number;
    try {
      fd = connectTo(path);
    } catch (error) {
      if (error instanceof TsdError && GONE.has(error.errno)) return null;
      const reason = error instanceof Error ? error.message : String(error);
      throw new TsdError('TSD_SHIM', `no connection to the shim: ${reason}`, { step: `connect ${path}`, cause: error });
    }
    return take(fd);
  }

  /** Version of the protocol that the shim speaks, when it is one that we do not understand; the connection is closed then. */
  get foreignVersion(): number | null {
    return this.#decoder.foreignVersion;
  }

  /** Delivers events to this listener, those first that have already arrived. */
  listen(events: ShimEvents): void {
    this.#events = events;
    for (const frame of this.#unheard.splice(0)) this.#deliver(events, frame);
    if (!this.#open) events.closed?.();
  }

  /** The shim's report of the launch; asked for at once after it was started. */
  launched(): Promise<LaunchReport> {
    return new Promise((resolve, reject) => {
      this.#awaitingLaunch = { resolve, reject };
    });
  }

  /** Null when the shim left before it answered, or see {@link foreignVersion}. @throws TSD_TIMEOUT */
  async status(): Promise<ShimStatus | null> {
    try {
      return decodeStatus((await this.#ask(REQUEST.status)).payload);
    } catch (error) {
      if (error instanceof TsdError && error.code === 'TSD_TIMEOUT') throw error;
      return null;
    }
  }

  /** Asks for something that is answered by an errno: 0 when it was done. @throws TSD_SHIM when it left, TSD_TIMEOUT */
  async request(type: number, payload?: Uint8Array): Promise<number> {
    return decodeResult((await this.#ask(type, payload)).payload).errno;
  }

  /** As {@link request}, of a shim that answers when its payload has been launched, however long that takes. */
  async requestAtLaunch(type: number): Promise<number> {
    return decodeResult((await this.#ask(type, undefined, true)).payload).errno;
  }

  /** As {@link request}. @throws TsdError with the errno. */
  async demand(step: string, type: number, payload?: Uint8Array): Promise<void> {
    const errno = await this.request(type, payload);
    if (errno !== 0) throw sysError('shim', errno, step);
  }

  /** Delivers output again after {@link ShimEvents.output} returned false. */
  resume(): void {
    this.#reader.resume();
  }

  close(): void {
    this.#reader.destroy();
    this.#writer.destroy();
  }

  #ask(type: number, payload?: Uint8Array, isPatient = WAITS_FOR_PAYLOAD.has(type)): Promise<Frame> {
    if (!this.#open) return Promise.reject(gone());
    return new Promise((resolve, reject) => {
      // An answer that comes later still has its place in the order.
      const late = () => reject(new TsdError('TSD_TIMEOUT', 'the shim does not answer', { step: 'ask the shim' }));
      // On a busy host this process may be what was late: what has arrived meanwhile is read before the shim is judged.
      const due = () => setImmediate(late);
      // Input waits for as long as the payload does not read.
      const timer = isPatient ? undefined : setTimeout(due, ANSWER_TIMEOUT_MS).unref();
      const settled = () => clearTimeout(timer);
      this.#waiting.push({
        resolve: (answer) => {
          settled();
          resolve(answer);
        },
        reject: (error) => {
          settled();
          reject(error);
        },
      });
      this.#writer.write(encodeFrame(type, payload));
    });
  }

  #receive(frame: Frame): void {
    switch (frame.type) {
      case ANSWER.result:
      case ANSWER.status:
        this.#waiting.shift()?.resolve(frame);
        return;
      case ANSWER.launched:
        this.#awaitingLaunch?.resolve(decodeLaunchReport(frame.payload));
        return;
      default:
        if (this.#events === null) this.#unheard.push(frame);
        else this.#deliver(this.#events, frame);
    }
  }

  #deliver(events: ShimEvents, frame: Frame): void {
    if (frame.type === ANSWER.exit) events.exit?.(decodeExit(frame.payload));
    else if (frame.type === ANSWER.unrecorded) events.unrecorded?.(frame.payload.readInt32LE(0));
    else if (frame.type === ANSWER.stdout) this.#output(events, 'stdout', frame.payload);
    else if (frame.type === ANSWER.stderr) this.#output(events, 'stderr', frame.payload);
  }

  #output(events: ShimEvents, stream: 'stdout' | 'stderr', bytes: Buffer): void {
    if (events.output?.(stream, bytes) === false) this.#reader.pause();
  }

  #closed(): void {
    this.#open = false;
    this.#writer.destroy();
    for (const waiting of this.#waiting.splice(0)) waiting.reject(gone());
    this.#awaitingLaunch?.reject(gone());
    this.#events?.closed?.();
  }
}

function gone(): TsdError {
  return new TsdError('TSD_SHIM', 'the shim closed the connection', { step: 'ask the shim' });
}
