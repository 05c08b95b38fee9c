/** Signals as people write them, and their numbers. The one place that reads them. */

/** A signal in specifications and records: its name, or the number of a real-time signal. */
export type SignalName = `SIG${string}` | `${number}`;

/** signal(7): names by number on x86-64 and arm64, from 1. */
export const SIGNAL_NAMES = (
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT ' +
  'CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
)
  .split(' ')
  .map((name) => `SIG${name}` as const);

/** Second names of signal(7). */
const SYNONYMS: ReadonlyMap<string, string> = new Map([
  ['SIGIOT', 'SIGABRT'],
  ['SIGCLD', 'SIGCHLD'],
  ['SIGPOLL', 'SIGIO'],
]);

/** The C library keeps 32 and 33 for itself (signal(7)). */
const SIGRTMIN = 34;
const SIGRTMAX = 64;

function realtimeSignal(name: string): number | null {
  const match = /^SIGRTM(?:IN(?:\+(\d+))?|AX(?:-(\d+))?)$/.exec(name);
  if (!match) return null;
  const number = name.startsWith('SIGRTMIN') ? SIGRTMIN + Number(match[1] ?? 0) : SIGRTMAX - Number(match[2] ?? 0);
  return number >= SIGRTMIN && number <= SIGRTMAX ? number : null;
}

/** Returns the number of `SIGTERM`, `term`, `15` or `SIGRTMIN+3`; null for anything else. */
export function readSignal(written: string): number | null {
  const text = written.trim().toUpperCase();
  if (/^\d{1,2}$/.test(text)) return Number(text) >= 1 && Number(text) <= SIGRTMAX ? Number(text) : null;
  const name = text.startsWith('SIG') ? text : `SIG${text}`;
  const index = SIGNAL_NAMES.findIndex((known) => known === (SYNONYMS.get(name) ?? name));
  return index < 0 ? realtimeSignal(name) : index + 1;
}

/** The number of a name that {@link signalName} gave. @throws RangeError for any other text. */
export function signalNumber(name: SignalName): number {
  const number = readSignal(name);
  if (number === null) throw new RangeError(`${name} is not a signal`);
  return number;
}

/** @param number 1 to 64 */
export function signalName(number: number): SignalName {
  return SIGNAL_NAMES[number - 1] ?? `${number}`;
}
