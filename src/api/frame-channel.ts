import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { append } from '../model/lists.ts';
import { type Frame, FrameDecoder, frameHeader, MAX_PAYLOAD_BYTES } from './frames.ts';
import { connectionLost } from './ndjson.ts';

const EMPTY = Buffer.alloc(0);

/** How often a peer that is not read is written to. */
const PROBE_MS = 5000;

/** Frames in both directions over an upgraded connection, with backpressure in both. */
export class FrameChannel {
  /** Resolves when the connection is gone, whoever ended it; with the error that ended it, if one did. */
  readonly closed: Promise<Error | null>;
  readonly #socket: Duplex;
  #onFrame: (frame: Frame) => void;
  readonly #decoder = new FrameDecoder();
  readonly #waiting: Frame[] = [];
  #paused = false;
  /** The peer sends no more; what it sent may still wait. */
  #peerEnded = false;
  #probe: NodeJS.Timeout | undefined;

  /**
   * @param head bytes that came with the headers.
   * @param onFrame called for each frame; what it throws ends the connection.
   */
  constructor(socket: Duplex, head: Buffer, onFrame: (frame: Frame) => void) {
    this.#socket = socket;
    this.#onFrame = onFrame;
    // Else it closes itself with its peer, also while frames of that wait.
    socket.allowHalfOpen = true;
    let failure: Error | null = null;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        clearInterval(this.#probe);
        resolve(failure);
      });
    });
    socket.on('error', (error) => {
      failure = error;
    });
    // Before the listener, so that it is called from the event loop and not from within this constructor.
    if (head.length > 0) socket.unshift(head);
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('end', () => {
      // Comes also while the socket is paused, once all its bytes are taken.
      this.#peerEnded = true;
      if (this.#waiting.length === 0) socket.destroy();
    });
    // Whoever read the headers may have left it paused.
    socket.resume();
  }

  /** Resolves when the peer takes more. @throws TsdError TSD_NO_SUPERVISOR when the connection is gone. */
  async send(type: number, payload: Buffer = EMPTY): Promise<void> {
    for (let start = 0; start === 0 || start < payload.length; start += MAX_PAYLOAD_BYTES) {
      const part = payload.subarray(start, start + MAX_PAYLOAD_BYTES);
      if (this.#socket.destroyed || this.#socket.writableEnded) throw connectionLost();
      let flowing = this.#socket.write(frameHeader(type, part.length));
      if (part.length > 0) flowing = this.#socket.write(part);
      if (!flowing) await this.#drained();
    }
  }

  sendJson(type: number, value: unknown): Promise<void> {
    return this.send(type, Buffer.from(JSON.stringify(value)));
  }

  /** Stops taking frames until {@link resume}. The peer's disconnect is not seen meanwhile. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  /** As {@link pause}, but the peer's disconnect is seen as long as it sends nothing more. */
  hold(): void {
    this.#paused = true;
  }

  /**
   * As {@link pause}, for as long as it takes: an empty frame now and then fails when the peer is gone.
   * @param type of frames that may be empty.
   */
  pauseAndProbe(type: number): void {
    this.pause();
    this.#probe ??= setInterval(() => {
      const { destroyed, writableEnded, writableLength } = this.#socket;
      // What still waits to be written fails as well.
      if (!destroyed && !writableEnded && writableLength === 0) this.#socket.write(frameHeader(type, 0));
    }, PROBE_MS);
  }

  resume(): void {
    clearInterval(this.#probe);
    this.#probe = undefined;
    if (!this.#paused) return;
    this.#paused = false;
    this.#deliver();
    if (!this.#paused) this.#socket.resume();
  }

  /** Ends the connection after all sent bytes; for a reader that has read everything. */
  end(): void {
    this.#socket.end(() => this.#socket.destroy());
  }

  /**
   * Ends the connection after what was sent, and the peer closes it when it has read that; what it still sends is
   * dropped. Closed from here, its next write would fail and take what it has not read with it.
   */
  endForPeer(): void {
    this.#onFrame = () => undefined;
    this.#socket.end();
    this.resume();
  }

  destroy(error?: Error): void {
    this.#socket.destroy(error);
  }

  #receive(chunk: Buffer): void {
    try {
      append(this.#waiting, this.#decoder.push(chunk));
    } catch (thrown) {
      this.#socket.destroy(thrown as Error);
      return;
    }
    if (this.#paused) this.#socket.pause();
    this.#deliver();
  }

  #deliver(): void {
    while (!this.#paused && !this.#socket.destroyed) {
      const frame = this.#waiting.shift();
      if (frame === undefined) {
        if (this.#peerEnded) this.#socket.destroy();
        return;
      }
      try {
        this.#onFrame(frame);
      } catch (thrown) {
        this.#socket.destroy(thrown as Error);
      }
    }
  }

  async #drained(): Promise<void> {
    const stop = new AbortController();
    const drained = once(this.#socket, 'drain', { signal: stop.signal }).catch(() => undefined);
    await Promise.race([drained, this.closed]);
    stop.abort();
    if (this.#socket.destroyed) throw connectionLost();
  }
}
