import type { Duplex, Readable } from 'node:stream';
import type { StdioSession } from '../drivers/contract/exec.ts';
import { TsdError, toTsdError } from '../model/errors/errors.ts';
import { FrameChannel } from './frame-channel.ts';
import { FRAME, type Frame, type Started } from './frames.ts';
import { endedBy, unlessEnded } from './open-requests.ts';

const MAX_SIGNAL = 64;
const SIGHUP = 1;

/** A running session, and the requests of its client. */
export interface LiveSession {
  readonly session: StdioSession;
  readonly tty: boolean;
  /** The client sends input. */
  readonly stdin: boolean;
  /** The payload is the client's alone: it gets SIGHUP when the client is gone. */
  readonly hangUp: boolean;
}

export interface SessionOptions {
  /** @param open what the client asks for; not checked yet. */
  readonly start: (open: unknown) => Promise<LiveSession>;
  /** How long the client may take to send its `open` frame. */
  readonly openTimeoutMs: number;
  /** Aborts with a TsdError when the server ends. */
  readonly signal: AbortSignal;
  /** Called when the client is gone before its session is there. */
  readonly leave: () => void;
}

/** Serves one upgraded connection until the payload ended or the client is gone. */
export async function serveSession(socket: Duplex, head: Buffer, options: SessionOptions): Promise<void> {
  let handleFrame: (frame: Frame) => void = () => undefined;
  const channel = new FrameChannel(socket, head, (frame) => handleFrame(frame));
  const opened = new Promise<Frame>((resolve) => {
    handleFrame = (frame) => {
      channel.hold();
      resolve(frame);
    };
  });
  const late = setTimeout(() => channel.destroy(), options.openTimeoutMs);
  const first = await Promise.race([opened, channel.closed]);
  clearTimeout(late);
  if (first === null || first instanceof Error) return;
  let live: LiveSession | null = null;
  let over = false;
  void channel.closed.then(() => over || live !== null || options.leave());
  try {
    live = await options.start(readOpen(first));
    const started = live;
    handleFrame = (frame) => control(started, channel, frame);
    void channel.closed.then(() => over || abandon(started));
    await unlessEnded(run(started, channel), options.signal);
  } catch (thrown) {
    if (live !== null && endedBy(options.signal) !== null) abandon(live);
    await channel.sendJson(FRAME.error, toTsdError(thrown)).catch(() => undefined);
  } finally {
    over = true;
    live?.session.close();
    channel.endForPeer();
  }
}

function readOpen(frame: Frame): unknown {
  if (frame.type !== FRAME.open) throw new TsdError('TSD_BAD_REQUEST', 'the first frame must be `open`');
  try {
    return JSON.parse(frame.payload.toString('utf8'));
  } catch {
    throw new TsdError('TSD_BAD_REQUEST', 'the `open` frame is not JSON');
  }
}

async function run({ session, tty, stdin }: LiveSession, channel: FrameChannel): Promise<void> {
  const started: Started = { pid: session.pid, tty, stdin };
  await channel.sendJson(FRAME.started, started);
  // A payload that closes its input reads no more: later input is dropped, not queued.
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

function abandon({ session, hangUp }: LiveSession): void {
  if (hangUp) session.signal(SIGHUP);
  session.stdout.destroy();
  session.stderr.destroy();
  session.close();
}

function control({ session }: LiveSession, channel: FrameChannel, frame: Frame): void {
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
  channel.pauseAndProbe(FRAME.stdout);
  stdin.once('drain', () => channel.resume());
}
