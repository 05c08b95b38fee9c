/** Lines for who looks for a fault, on a log that cannot fill a disk. */
import { fstatSync, ftruncateSync, writeSync } from 'node:fs';

const MAX_BYTES = 256 * 1024;
const MAX_LINES = 20;
const SPAN_MS = 10_000;

/** Writes to a descriptor; what cannot be written is lost. @param now wall clock */
export function logTo(fd: number, now: () => Date): (line: string) => void {
  let [since, lines] = [0, 0];
  return (line) => {
    const time = now();
    if (time.getTime() - since > SPAN_MS) [since, lines] = [time.getTime(), 0];
    lines++;
    if (lines > MAX_LINES) return;
    const more = lines === MAX_LINES ? ' (more of these seconds are left out)' : '';
    try {
      const stat = fstatSync(fd);
      if (stat.isFile() && stat.size > MAX_BYTES) ftruncateSync(fd, 0);
      writeSync(fd, `${time.toISOString()} ${line}${more}\n`);
    } catch {
      // The log is full or closed; questions are answered all the same.
    }
  };
}
