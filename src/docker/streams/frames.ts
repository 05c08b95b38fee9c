/** Output of two streams on one connection: each piece has a head that says which stream it is of, and how long it is. */
const HEAD_BYTES = 8;

const STREAM = { stdout: 1, stderr: 2 } as const;
export type StreamName = keyof typeof STREAM;

export function framed(stream: StreamName, bytes: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + bytes.length);
  frame.fill(0, 0, HEAD_BYTES);
  frame.writeUInt8(STREAM[stream], 0);
  frame.writeUInt32BE(bytes.length, 4);
  frame.set(bytes, HEAD_BYTES);
  return frame;
}

/** The first version whose answers say whether they have frames. */
const TELLS = 42;

export function streamType(tty: boolean, minor: number): string {
  return !tty && minor >= TELLS ? 'application/vnd.docker.multiplexed-stream' : 'application/vnd.docker.raw-stream';
}
