import { constants } from 'node:os';
import type { StdioSession } from '../drivers/contract.ts';
import type { Streams } from './context.ts';

const FORWARDED: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'];

/**
 * Connects our standard input, terminal size and signals to a session. With a terminal the input is raw: every key
 * goes through. The function returned puts everything back and may be called twice.
 */
export function connectTerminal(
  streams: Streams,
  session: StdioSession,
  options: { readonly tty: boolean },
): () => void {
  const { stdin, stdout } = streams;
  const undo: (() => void)[] = [];
  for (const name of FORWARDED) {
    const forward = () => session.signal(constants.signals[name]);
    process.on(name, forward);
    undo.push(() => process.off(name, forward));
  }
  if (options.tty && stdout.isTTY === true) {
    const resize = () => session.resize(stdout.rows ?? 24, stdout.columns ?? 80);
    resize();
    stdout.on('resize', resize);
    undo.push(() => stdout.off('resize', resize));
  }
  const { stdin: target } = session;
  if (target !== null) {
    if (options.tty && stdin.isTTY === true) {
      stdin.setRawMode?.(true);
      undo.push(() => stdin.setRawMode?.(false));
    }
    // A payload that ends before it read everything is no failure of ours.
    target.on('error', () => stdin.unpipe(target));
    stdin.pipe(target);
    undo.push(() => {
      stdin.unpipe(target);
      stdin.destroy();
    });
  }
  return () => {
    for (const step of undo.splice(0)) step();
  };
}
