import type { Duplex, Readable } from 'node:stream';
import { z } from 'zod';
import type { StdioSession } from '../drivers/contract.ts';
import { TsdError, toTsdError } from '../model/errors.ts';
import { FrameChannel } from './frame-channel.ts';
import { FRAME, type Frame } from './frames.ts';
import { validate } from './request-body.ts';
import type { ExecRequest } from './supervisor.ts';

const MAX_SIGNAL = 64;
const SIGHUP = 1;

const noZeroByte = z.string().refine((text) => !text.includes('\0'), 'must not contain a zero byte');

const execRequest = z.strictObject({
  argv: z.array(noZeroByte).min(1),
  env: z.array(noZeroByte),
  cwd: noZeroByte.nullable(),
  user: noZeroByte,
  tty: z.boolean(),
  stdin: z.boolean(),
}) satisfies z.ZodType<ExecRequest>;

export interface SessionOptions {
  readonly start: (request: ExecRequest) => Promise<StdioSession>;
  /** How long the client may take to send its `open` frame. */
  readonly openTimeoutMs: number;
}

/**
 * Serves one upgraded connection until the payload ended or the client is gone. A vanished client is a hang-up for a
 * session with a terminal (SIGHUP); one without goes on unwatched, as under Docker.
 */
export async function serveSession(socket: Duplex, head: Buffer, options: SessionOptions): Promise<void> {
  let handleFrame: (frame: Frame) => void = () => undefined;
  const channel = new FrameChannel(socket, head, (frame) => handleFrame(frame));
  const opened = new Promise<Frame>((resolve) => {
    handleFrame = (frame) => {
      channel.pause();
      resolve(frame);
    };
  });
  const late = setTimeout(() => channel.destroy(), options.openTimeoutMs);
  const first = await Promise.race([opened, channel.closed]);
  clearTimeout(late);
  if (first === null || first instanceof Error) return;
  let session: StdioSession | null = null;
  let over = false;
  try {
    const request = readOpen(first);
    session = await options.start(request);
    const live = session;
    handleFrame = (frame) => control(live, channel, frame);
    void channel.closed.then(() => over || abandon(live, request.tty));
    await run(live, channel);
  } catch (thrown) {
    await channel.sendJson(FRAME.error, toTsdError(thrown)).catch(() => undefined);
  } finally {
    over = true;
    session?.close();
    channel.endForPeer();
  }
}

function readOpen(frame: Frame): ExecRequest {
  if (frame.type !== FRAME.open) throw new TsdError('TSD_BAD_REQUEST', 'the first frame must be `open`');
  let value: unknown;
  try {
    value = JSON.parse(frame.payload.toString('utf8'));
  } catch {
    throw new TsdError('TSD_BAD_REQUEST', 'the `open` frame is not JSON');
  }
  return validate(execRequest, value, 'open');
}

async function run(session: StdioSession, channel: FrameChannel): Promise<void> {
  await channel.sendJson(FRAME.started, { pid: session.pid });
  // A payload that closes its input takes no more: what still comes is dropped, not waited with.
  session.stdin?.on('error', () => channel.resume());
  session.stdin?.on('close', () => channel.resume());
  channel.resume();
  await Promise.all([pump(session.stdout, FRAME.stdout, channel), pump(session.stderr, FRAME.stderr, channel)]);
  const exitCode = Buffer.alloc(4);
  exitCode.writeUInt32BE(await session.exited);
  await channel.send(FRAME.exit, exitCode);
}

async function pump(source: Readable, type: number, channel: FrameChannel): Promise<void> {
  for await (const chunk of source) await channel.send(type, chunk as Buffer);
}

function abandon(session: StdioSession, tty: boolean): void {
  if (tty) session.signal(SIGHUP);
  session.stdout.destroy();
  session.stderr.destroy();
  session.close();
}

function control(session: StdioSession, channel: FrameChannel, frame: Frame): void {
  const { type, payload } = frame;
  const signal = payload.length === 1 ? (payload[0] as number) : 0;
  if (type === FRAME.stdin) feed(session, channel, payload);
  else if (type === FRAME.stdinClose) session.stdin?.end();
  else if (type === FRAME.resize && payload.length === 4) {
    session.resize(payload.readUInt16BE(0), payload.readUInt16BE(2));
  } else if (type === FRAME.signal && signal >= 1 && signal <= MAX_SIGNAL) session.signal(signal);
  else throw new TsdError('TSD_BAD_REQUEST', `unexpected frame of type ${type}`);
}

function feed(session: StdioSession, channel: FrameChannel, bytes: Buffer): void {
  const { stdin } = session;
  if (stdin === null || !stdin.writable) return;
  if (stdin.write(bytes)) return;
  channel.pause();
  stdin.once('drain', () => channel.resume());
}
