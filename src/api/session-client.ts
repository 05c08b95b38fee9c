import { type Duplex, Readable, Writable } from 'node:stream';
import type { AttachedSession } from '../drivers/contract/exec.ts';
import { TsdError } from '../model/errors/errors.ts';
import { FrameChannel } from './frame-channel.ts';
import { FRAME, type Frame, frameHeader, MAX_PAYLOAD_BYTES, type Started } from './frames.ts';
import { errorFromJson } from './http-errors.ts';
import type { JobRequest } from './jobs.ts';
import { connectionLost } from './ndjson.ts';
import type { AttachRequest, ExecRequest } from './requests.ts';

/**
 * What the client says first, without waiting for the answer to its upgrade.
 * @throws TsdError TSD_BAD_REQUEST when it is longer than a frame
 */
export function openFrame(request: ExecRequest | AttachRequest | JobRequest): Buffer {
  const payload = Buffer.from(JSON.stringify(request));
  if (payload.length > MAX_PAYLOAD_BYTES) {
    throw new TsdError('TSD_BAD_REQUEST', `the command has ${payload.length} bytes of arguments and environment`, {
      hint: `A command may have ${MAX_PAYLOAD_BYTES} bytes; hand more over on standard input (-i).`,
    });
  }
  return Buffer.concat([frameHeader(FRAME.open, payload.length), payload]);
}

/**
 * Opens a session over an upgraded connection, on which {@link openFrame} was sent. Both outputs come over the same connection: a reader that leaves one of
 * them unread stops the other too.
 * @throws TsdError what the supervisor answered, or TSD_NO_SUPERVISOR when the connection was lost.
 */
export async function openSession(socket: Duplex, head: Buffer): Promise<AttachedSession> {
  const session = new ClientSession(socket, head);
  await session.started;
  return session;
}

class ClientSession implements AttachedSession {
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly exited: Promise<number>;
  readonly started: Promise<void>;
  readonly #channel: FrameChannel;
  readonly #full = new Set<Readable>();
  #started: Started = { pid: 0, tty: false, stdin: false };
  #stdin: Writable | null = null;
  #ended = false;
  #resolveStarted: () => void = () => undefined;
  #resolveExited: (exitCode: number) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  constructor(socket: Duplex, head: Buffer) {
    this.stdout = this.#output();
    this.stderr = this.#output();
    const started = new Promise<void>((resolve, reject) => {
      this.#resolveStarted = resolve;
      this.#reject = reject;
    });
    this.exited = new Promise<number>((resolve, reject) => {
      this.#resolveExited = resolve;
      const rejectStarted = this.#reject;
      this.#reject = (error) => {
        rejectStarted(error);
        reject(error);
      };
    });
    this.started = started;
    // A caller that lost interest must not bring the process down.
    this.exited.catch(() => undefined);
    this.#channel = new FrameChannel(socket, head, (frame) => this.#receive(frame));
    void this.#channel.closed.then((cause) => this.#over(connectionLost(cause ?? undefined)));
  }

  get pid(): number {
    return this.#started.pid;
  }

  get tty(): boolean {
    return this.#started.tty;
  }

  get stdin(): Writable | null {
    return this.#stdin;
  }

  resize(rows: number, columns: number): void {
    const size = Buffer.alloc(4);
    size.writeUInt16BE(rows, 0);
    size.writeUInt16BE(columns, 2);
    this.#control(FRAME.resize, size);
  }

  signal(signal: number): void {
    this.#control(FRAME.signal, Buffer.from([signal]));
  }

  close(): void {
    this.#channel.destroy();
  }

  /** Sizes and signals after the end are ignored. */
  #control(type: number, payload: Buffer): void {
    this.#channel.send(type, payload).catch(() => undefined);
  }

  #receive({ type, payload }: Frame): void {
    if (type === FRAME.stdout) this.#push(this.stdout, payload);
    else if (type === FRAME.stderr) this.#push(this.stderr, payload);
    else if (type === FRAME.started) {
      this.#started = JSON.parse(payload.toString('utf8')) as Started;
      if (this.#started.stdin) this.#stdin = this.#input();
      this.#resolveStarted();
    } else if (type === FRAME.exit) {
      this.#resolveExited(payload.readUInt32BE(0));
      this.#over(null);
    } else if (type === FRAME.error) {
      this.#over(errorFromJson(JSON.parse(payload.toString('utf8'))) ?? connectionLost());
    } else {
      throw new TsdError('TSD_BUG', `the supervisor sent a frame of type ${type}`);
    }
  }

  /** Ends both outputs and settles what is still open; only the first call counts. */
  #over(error: Error | null): void {
    if (this.#ended) return;
    this.#ended = true;
    if (error !== null) this.#reject(error);
    this.stdout.push(null);
    this.stderr.push(null);
    this.#channel.end();
  }

  #push(output: Readable, bytes: Buffer): void {
    if (output.destroyed || output.push(bytes)) return;
    this.#full.add(output);
    this.#channel.pause();
  }

  #output(): Readable {
    const output: Readable = new Readable({
      read: () => {
        if (this.#full.delete(output) && this.#full.size === 0) this.#channel.resume();
      },
    });
    return output;
  }

  #input(): Writable {
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.#channel.send(FRAME.stdin, chunk).then(() => done(), done);
      },
      final: (done) => {
        this.#channel.send(FRAME.stdinClose).then(() => done(), done);
      },
    });
  }
}
