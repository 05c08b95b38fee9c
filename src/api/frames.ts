/**
 * What follows an `Upgrade: tsdocker-stream` (or Docker's `tcp`): frames of an 8-byte header and a payload,
 *
 *     byte 0     type
 *     bytes 1–3  zero
 *     bytes 4–7  length of the payload, big-endian, at most 1 MiB
 *
 * which is Docker's stream format (docker attach, types 0 to 3) with types of ours from 16 on. The client sends `open`
 * first and nothing else until `started` came. `exit` and `error` are the last frame of the server.
 */
import { TsdError } from '../model/errors/errors.ts';

export const FRAME = {
  /** Client: bytes for standard input. */
  stdin: 0,
  /** Server: bytes of standard output; of everything when there is a terminal. */
  stdout: 1,
  /** Server: bytes of standard error. */
  stderr: 2,
  /** Server: TsdErrorJson; the session is over. */
  error: 3,
  /** Client: ExecRequest or AttachRequest as JSON, by the route. */
  open: 16,
  /** Server: Started as JSON. */
  started: 17,
  /** Server: exit code as u32; all output came before. */
  exit: 18,
  /** Client: terminal size, rows u16 and columns u16. */
  resize: 19,
  /** Client: standard input is at its end; no payload. */
  stdinClose: 20,
  /** Client: signal number as u8. */
  signal: 21,
} as const;

/** What a session turned out to be. */
export interface Started {
  /** As seen on the host. */
  readonly pid: number;
  readonly tty: boolean;
  /** Input is taken. */
  readonly stdin: boolean;
}

export interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

const HEADER_BYTES = 8;
export const MAX_PAYLOAD_BYTES = 1024 * 1024;

export function frameHeader(type: number, length: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = type;
  header.writeUInt32BE(length, 4);
  return header;
}

/** Cuts a byte stream into frames, however it arrives. */
export class FrameDecoder {
  #chunks: Buffer[] = [];
  #buffered = 0;

  /** Frames completed by `chunk`. @throws TsdError TSD_BAD_REQUEST for a header that cannot be one. */
  push(chunk: Buffer): readonly Frame[] {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame !== null; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | null {
    if (this.#buffered < HEADER_BYTES) return null;
    if ((this.#chunks[0] as Buffer).length < HEADER_BYTES) this.#chunks = [Buffer.concat(this.#chunks)];
    const header = this.#chunks[0] as Buffer;
    const length = header.readUInt32BE(4);
    if (header[1] !== 0 || header[2] !== 0 || header[3] !== 0 || length > MAX_PAYLOAD_BYTES) {
      throw new TsdError('TSD_BAD_REQUEST', `not a frame: ${header.toString('hex', 0, HEADER_BYTES)}`);
    }
    const end = HEADER_BYTES + length;
    if (this.#buffered < end) return null;
    const all = this.#chunks.length === 1 ? header : Buffer.concat(this.#chunks);
    this.#chunks = all.length > end ? [all.subarray(end)] : [];
    this.#buffered -= end;
    return { type: all[0] as number, payload: all.subarray(HEADER_BYTES, end) };
  }
}
