/** Whether a payload has come so far that a signal has an effect. */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { until } from './wait.ts';

/**
 * Waits until a process handles or ignores a signal. The first process of a container that does neither does not get it: its
 * shell may run for a while before it comes to its trap.
 */
export async function armed(pid: number | null | undefined, signal: number = constants.signals.SIGTERM): Promise<void> {
  const bit = 1n << BigInt(signal - 1);
  await until(`process ${pid} to be prepared for signal ${signal}`, () => {
    const masks = [...readFileSync(`/proc/${pid}/status`, 'utf8').matchAll(/^Sig(?:Cgt|Ign):\s+([0-9a-f]+)$/gm)];
    return masks.some(([, mask]) => (BigInt(`0x${mask}`) & bit) !== 0n);
  });
}
