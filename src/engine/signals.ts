/** Signal numbers of Linux (asm-generic/signal.h); shells report a death by signal as 128 + number. */
const SIGNALS = { SIGINT: 2, SIGQUIT: 3, SIGTERM: 15 } as const;
type TrappedSignal = keyof typeof SIGNALS;

/** The nth request to end that waits no longer for containers, and the one that waits for nothing. */
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
  /** Another one while that takes its time. @param count with the first */
  again(count: number): void;
  /** The third: leave containers as they are, and end cleanly. */
  letGo(): void;
  /** SIGQUIT: say where everything is, before the request is obeyed. */
  dump(): void;
}

/**
 * SIGINT, SIGTERM and SIGQUIT are requests to end; they are counted together. The third lets containers go; the fourth,
 * which is the third repeat, exits at once with 128 + signal. With `debug` SIGQUIT is the kernel's: it ends the process at
 * once, even one that hangs in a call.
 */
export function trapSignals(host: SignalHost, requests: EndRequests, debug: boolean): void {
  let count = 0;
  const request = (signal: TrappedSignal): void => {
    count++;
    if (signal === 'SIGQUIT') requests.dump();
    if (count === 1) requests.end();
    else if (count >= FORCED) host.exit(128 + SIGNALS[signal]);
    else requests.again(count);
    if (count === IMPATIENT) requests.letGo();
  };
  const trapped: readonly TrappedSignal[] = debug ? ['SIGINT', 'SIGTERM'] : ['SIGINT', 'SIGTERM', 'SIGQUIT'];
  for (const signal of trapped) host.on(signal, () => request(signal));
}
