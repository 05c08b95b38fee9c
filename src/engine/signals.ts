/** Signal numbers of Linux (asm-generic/signal.h); shells report a death by signal as 128 + number. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;
type TrappedSignal = keyof typeof SIGNALS;

/** The number of the request to end that stops waiting for containers, and of the one that exits at once. */
const IMPATIENT = 3;
const FORCED = 4;

/** The part of `process` that signal handling needs. */
export interface SignalHost {
  on(signal: TrappedSignal, listener: () => void): unknown;
  exit(code: number): void;
}

export interface EndRequests {
  /** The first request: end cleanly. */
  end(): void;
  /** A repeated request. @param count including the first */
  again(count: number): void;
  /** The third: leave containers as they are, and end cleanly. */
  letGo(): void;
  /** SIGQUIT: log the state of the process, before the request is handled. */
  dump(): void;
}

/**
 * SIGINT, SIGTERM and SIGQUIT are requests to end; they are counted together. The third lets containers go; the fourth,
 * which is the third repeat, exits at once with 128 + signal. With `debug` SIGQUIT is the kernel's: it ends the process at
 * once, even one that hangs in a call. SIGHUP, which says that the terminal is gone, asks for an end and never repeats that:
 * a shell and the kernel both send it.
 */
export function trapSignals(host: SignalHost, requests: EndRequests, debug: boolean): void {
  let count = 0;
  const request = (signal: TrappedSignal): void => {
    if (signal === 'SIGHUP' && count > 0) return;
    count++;
    if (signal === 'SIGQUIT') requests.dump();
    if (count === 1) requests.end();
    else if (count >= FORCED) host.exit(128 + SIGNALS[signal]);
    else requests.again(count);
    if (count === IMPATIENT) requests.letGo();
  };
  const trapped: readonly TrappedSignal[] = ['SIGHUP', 'SIGINT', 'SIGTERM', ...(debug ? [] : ['SIGQUIT' as const])];
  for (const signal of trapped) host.on(signal, () => request(signal));
}
