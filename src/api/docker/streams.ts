/** The streams of a container as the Docker API carries them: one for a terminal, else frames of stdout and stderr. */
import { type Duplex, PassThrough, type Readable, type Writable } from 'node:stream';
import { upgrade } from '../transport.ts';

export interface DockerStreams {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  close(): void;
}

/** `[type, 0, 0, 0, length (u32, big endian)]` before each piece. */
const HEADER_BYTES = 8;
const STDERR = 2;

export async function attachTo(socketPath: string, path: string, tty: boolean): Promise<DockerStreams> {
  const protocol = { prefix: '', protocol: 'tcp' };
  const { socket, head } = await upgrade(socketPath, path, Buffer.alloc(0), protocol);
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const end = (): void => {
    stdout.end();
    stderr.end();
  };
  socket.on('error', end).on('close', end);
  const targetOf = tty ? () => stdout : (type: number) => (type === STDERR ? stderr : stdout);
  // A connection that breaks off is the end of both.
  carry(socket, head, targetOf, tty).then(end, end);
  return { stdin: socket, stdout, stderr, close: () => void socket.destroy() };
}

async function carry(socket: Duplex, head: Buffer, target: (type: number) => PassThrough, raw: boolean): Promise<void> {
  let bytes = head;
  const take = async (): Promise<void> => {
    for (;;) {
      if (raw) {
        if (bytes.length > 0) await write(target(0), bytes);
        bytes = Buffer.alloc(0);
        return;
      }
      if (bytes.length < HEADER_BYTES) return;
      const end = HEADER_BYTES + bytes.readUInt32BE(4);
      if (bytes.length < end) return;
      await write(target(bytes[0] as number), bytes.subarray(HEADER_BYTES, end));
      bytes = bytes.subarray(end);
    }
  };
  await take();
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, chunk]);
    await take();
  }
}

function write(stream: PassThrough, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    if (stream.write(bytes)) resolve();
    else {
      stream.once('drain', resolve);
      stream.once('close', resolve);
    }
  });
}
