import { createConnection, Socket } from 'node:net';
import { sysError } from '../../../ffi/errno.ts';
import { TsdError } from '../../../model/errors.ts';
import {
  ANSWER,
  decodeExit,
  decodeLaunched,
  decodeResult,
  decodeStatus,
  encodeFrame,
  type Frame,
  FrameDecoder,
  type Launched,
  REQUEST,
  type ShimStatus,
} from './shim-protocol.ts';

interface Waiting {
  resolve(answer: Frame): void;
  reject(error: TsdError): void;
}

/** What a shim says without being asked. */
export interface ShimEvents {
  /** Return false to have no more output delivered until {@link ShimConnection.resume}. */
  output?(stream: 'stdout' | 'stderr', bytes: Buffer): boolean;
  exit?(exitCode: number): void;
  /** The connection is gone; always last, and called once. */
  closed?(): void;
}

/**
 * One conversation with one shim. Requests are answered in order; events arrive in between and are kept until somebody
 * listens.
 */
export class ShimConnection {
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #waiting: Waiting[] = [];
  readonly #unheard: Frame[] = [];
  #events: ShimEvents | null = null;
  #awaitingLaunch: { resolve(launched: Launched): void; reject(error: TsdError): void } | null = null;
  #open = true;

  /** @param socket connected, on one end of a pair or on the shim's path. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      for (const frame of this.#decoder.push(chunk)) this.#receive(frame);
    });
    // 'close' follows every error, and says all there is to say: the shim is gone.
    socket.on('error', () => {});
    socket.on('close', () => this.#closed());
  }

  /** Takes over a connected descriptor; it belongs to the connection from now on. */
  static fromDescriptor(fd: number): ShimConnection {
    return new ShimConnection(new Socket({ fd, readable: true, writable: true }));
  }

  /** Null when nothing listens at the path: the shim is gone. Other failures are thrown. */
  static async connect(path: string): Promise<ShimConnection | null> {
    const socket = createConnection(path);
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('connect', resolve);
        socket.once('error', reject);
      });
      return new ShimConnection(socket);
    } catch (cause) {
      socket.destroy();
      const code = (cause as NodeJS.ErrnoException).code;
      if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ECONNRESET') return null;
      throw new TsdError('TSD_SHIM', `cannot connect to ${path}: ${code}`, { step: `connect ${path}`, cause });
    }
  }

  /** Delivers events to this listener, those first that have already arrived. */
  listen(events: ShimEvents): void {
    this.#events = events;
    for (const frame of this.#unheard.splice(0)) this.#deliver(events, frame);
    if (!this.#open) events.closed?.();
  }

  /** The shim's report of the launch; asked for at once after it was started. */
  launched(): Promise<Launched> {
    return new Promise((resolve, reject) => {
      this.#awaitingLaunch = { resolve, reject };
    });
  }

  /** Null when the shim left before it answered. */
  async status(): Promise<ShimStatus | null> {
    try {
      return decodeStatus((await this.#ask(REQUEST.status)).payload);
    } catch {
      return null;
    }
  }

  /** Asks for something that is answered by an errno: 0 when it was done. */
  async request(type: number, payload?: Uint8Array): Promise<number> {
    return decodeResult((await this.#ask(type, payload)).payload).errno;
  }

  /** As {@link request}. @throws TsdError with the errno. */
  async demand(step: string, type: number, payload?: Uint8Array): Promise<void> {
    const errno = await this.request(type, payload);
    if (errno !== 0) throw sysError('shim', errno, step);
  }

  /** Delivers output again after {@link ShimEvents.output} returned false. */
  resume(): void {
    this.#socket.resume();
  }

  /** Does not keep the process alive by itself. */
  unref(): void {
    this.#socket.unref();
  }

  close(): void {
    this.#socket.destroy();
  }

  #ask(type: number, payload?: Uint8Array): Promise<Frame> {
    if (!this.#open) return Promise.reject(gone());
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(encodeFrame(type, payload));
    });
  }

  #receive(frame: Frame): void {
    switch (frame.type) {
      case ANSWER.result:
      case ANSWER.status:
        this.#waiting.shift()?.resolve(frame);
        return;
      case ANSWER.launched:
        this.#awaitingLaunch?.resolve(decodeLaunched(frame.payload));
        return;
      default:
        if (this.#events === null) this.#unheard.push(frame);
        else this.#deliver(this.#events, frame);
    }
  }

  #deliver(events: ShimEvents, frame: Frame): void {
    if (frame.type === ANSWER.exit) events.exit?.(decodeExit(frame.payload));
    else if (frame.type === ANSWER.stdout) this.#output(events, 'stdout', frame.payload);
    else if (frame.type === ANSWER.stderr) this.#output(events, 'stderr', frame.payload);
  }

  #output(events: ShimEvents, stream: 'stdout' | 'stderr', bytes: Buffer): void {
    if (events.output?.(stream, bytes) === false) this.#socket.pause();
  }

  #closed(): void {
    this.#open = false;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(gone());
    this.#awaitingLaunch?.reject(gone());
    this.#events?.closed?.();
  }
}

function gone(): TsdError {
  return new TsdError('TSD_SHIM', 'the shim closed the connection', { step: 'ask the shim' });
}
