/** Signal numbers of Linux (asm-generic/signal.h); shells report a death by signal as 128 + number. */
const SIGNALS = { SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;
type TrappedSignal = keyof typeof SIGNALS;

/** The nth request to end that is not waited for any more. */
const IMPATIENT = 4;

/** The part of `process` that signal handling needs. */
export interface SignalHost {
  on(signal: TrappedSignal, listener: () => void): unknown;
  exit(code: number): void;
}

/**
 * SIGINT and SIGTERM clean up and exit 0 (1 when that fails); the second and third are ignored, the fourth exits at once with 128 + signal.
 * SIGQUIT exits at once with 131, unless `debug` leaves it to Node, which then may be asked for a report.
 */
export function trapSignals(host: SignalHost, cleanup: () => Promise<void>, debug = false): void {
  let requests = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    host.on(signal, () => {
      requests++;
      if (requests === 1)
        cleanup().then(
          () => host.exit(0),
          () => host.exit(1),
        );
      else if (requests >= IMPATIENT) host.exit(128 + SIGNALS[signal]);
    });
  }
  if (!debug) host.on('SIGQUIT', () => host.exit(128 + SIGNALS.SIGQUIT));
}
