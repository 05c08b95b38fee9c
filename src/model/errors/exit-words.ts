/** The text for the end of a run. */
import { SIGNAL_NAMES } from '../signals.ts';

const FIRST_OF_SIGNALS = 128;

/**
 * `exited with 1`, `exited with 137 (SIGKILL)`, `exited with 137 (out of memory)`.
 * @param code 128 + signal for a run that a signal ended; null when the end is unknown
 */
export function describeEnd(code: number | null, oomKilled: boolean): string {
  if (code === null) return 'ended unseen (its shim was killed or the host went down; exit status unknown)';
  if (oomKilled) return `exited with ${code} (out of memory)`;
  const signal = SIGNAL_NAMES[code - FIRST_OF_SIGNALS - 1];
  return signal === undefined ? `exited with ${code}` : `exited with ${code} (${signal})`;
}
