/** How the end of a run is told. */

/** Numbers of signal(7) that are the same on x86-64 and arm64. */
const SIGNALS = [
  'HUP',
  'INT',
  'QUIT',
  'ILL',
  'TRAP',
  'ABRT',
  'BUS',
  'FPE',
  'KILL',
  'USR1',
  'SEGV',
  'USR2',
  'PIPE',
  'ALRM',
  'TERM',
] as const;
const FIRST_OF_SIGNALS = 128;

/**
 * `exited with 1`, `exited with 137 (SIGKILL)`, `exited with 137 (out of memory)`.
 * @param code 128 + signal for a run that a signal ended; null when nobody saw the end
 */
export function describeEnd(code: number | null, oomKilled: boolean): string {
  if (code === null) return 'ended unseen (its shim was killed or the host went down; exit status unknown)';
  if (oomKilled) return `exited with ${code} (out of memory)`;
  const signal = SIGNALS[code - FIRST_OF_SIGNALS - 1];
  return signal === undefined ? `exited with ${code}` : `exited with ${code} (SIG${signal})`;
}
