import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import type { StdioSession } from '../../drivers/contract/exec.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { Streams } from '../context.ts';
import type { DetachFilter } from './detach-keys.ts';

/** Events from a terminal or another program for a running command. */
export const ALL_SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

export interface Connection {
  /** The session's end is a terminal: with ours the input is raw, every key goes through, and it follows our size. */
  readonly tty: boolean;
  /** Signals that go to the payload instead of ending us. */
  readonly signals: readonly NodeJS.Signals[];
  /** Stands between our input and the session's, which then stays open at the end of ours. */
  readonly filter?: DetachFilter;
  /** Asks the payload to redraw its screen, which programs do when their terminal changes its size. */
  readonly redraw?: boolean;
}

/**
 * Connects our standard input, terminal size and signals to a session. The function returned puts everything back and
 * may be called twice.
 */
export function connectTerminal(streams: Streams, session: StdioSession, connection: Connection): () => void {
  const undo = [
    ...connection.signals.map((name) => forwardSignal(session, name)),
    ...(connection.tty ? [followSize(streams, session, connection.redraw === true)] : []),
    ...(session.stdin === null ? [] : [connectInput(streams, session.stdin, connection)]),
  ];
  return () => {
    for (const step of undo.splice(0)) step();
  };
}

/** @throws TsdError when a terminal in the container would get its keys from what is none. */
export function requireTerminal({ stdin }: Streams, hint: string): void {
  if (stdin.isTTY !== true) throw new TsdError('TSD_BAD_REQUEST', 'the input device is not a TTY', { hint });
}

function forwardSignal(session: StdioSession, name: NodeJS.Signals): () => void {
  const forward = () => session.signal(constants.signals[name]);
  process.on(name, forward);
  return () => process.off(name, forward);
}

function followSize({ stdout }: Streams, session: StdioSession, redraw: boolean): () => void {
  if (stdout.isTTY !== true) return () => undefined;
  const rows = () => stdout.rows ?? 24;
  const columns = () => stdout.columns ?? 80;
  const resize = () => session.resize(rows(), columns());
  // A terminal that has this size already would not notify its programs.
  if (redraw) session.resize(rows() + 1, columns() + 1);
  resize();
  stdout.on('resize', resize);
  return () => stdout.off('resize', resize);
}

function connectInput({ stdin }: Streams, target: Writable, { tty, filter }: Connection): () => void {
  const raw = tty && stdin.isTTY === true;
  if (raw) stdin.setRawMode?.(true);
  // A payload that ends before it read everything is no failure of ours.
  target.on('error', () => stdin.unpipe());
  if (filter === undefined) stdin.pipe(target);
  else stdin.pipe(filter).pipe(target, { end: false });
  return () => {
    if (raw) stdin.setRawMode?.(false);
    stdin.unpipe();
    stdin.destroy();
  };
}
