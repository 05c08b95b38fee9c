/** Connections to the Docker API beneath HTTP: requests by hand, upgrades, frames. */
import { connect, type Socket } from 'node:net';

/** A connection with the beginning of a request on it, and nothing read yet. @param address `unix:///path` */
export function rawSocket(address: string, head: string): Socket {
  const socket = connect({ path: address.replace('unix://', ''), allowHalfOpen: true });
  socket.on('error', () => {});
  socket.write(head);
  return socket;
}

/** A request that turns its connection into raw bytes. */
export function upgrade(method: string, path: string, body?: unknown): string {
  const text = body === undefined ? '' : JSON.stringify(body);
  const type = body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${text.length}\r\n`;
  return `${method} ${path} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n${type}\r\n${text}`;
}

/** Everything up to the end of the connection. */
export async function whole(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What has come so far, and the whole of it. */
export class Received {
  bytes: Buffer = Buffer.alloc(0);
  readonly ended: Promise<Buffer>;

  constructor(socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
    });
    this.ended = new Promise((resolve) => socket.once('end', () => resolve(this.bytes)));
  }

  /** The head of the answer is there: what was asked for is under way. */
  get hasHead(): boolean {
    return this.bytes.includes('\r\n\r\n');
  }
}

export function headAndRest(bytes: Buffer): { readonly head: string; readonly rest: Buffer } {
  const end = bytes.indexOf('\r\n\r\n');
  return { head: bytes.subarray(0, end).toString(), rest: bytes.subarray(end + 4) };
}

/** What frames carry, by stream. */
export function unframed(bytes: Buffer): { readonly stdout: string; readonly stderr: string } {
  const parts: [Buffer[], Buffer[]] = [[], []];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at + 4);
    parts[bytes[at] === 2 ? 1 : 0].push(bytes.subarray(at + 8, at + 8 + size));
    at += 8 + size;
  }
  return { stdout: Buffer.concat(parts[0]).toString(), stderr: Buffer.concat(parts[1]).toString() };
}
