/** Network settings under /proc/sys/net, of the namespace this thread is in (proc(5), ip-sysctl.txt). */
import { readFileSync, writeFileSync } from 'node:fs';
import { TsdError } from '../../model/errors/errors.ts';

/** Null when this kernel does not have the setting. */
export function readSetting(path: string): string | null {
  try {
    return readFileSync(`/proc/sys/net/${path}`, 'utf8').trim();
  } catch {
    return null;
  }
}

/** Writes a setting unless it has the value. @throws TsdError TSD_NETWORK when it cannot be written. */
export function writeSetting(path: string, value: string): void {
  if (readSetting(path) === value) return;
  try {
    writeFileSync(`/proc/sys/net/${path}`, value);
  } catch (cause) {
    const step = `sysctl net/${path} = ${value}`;
    throw new TsdError('TSD_NETWORK', `${step}: ${(cause as Error).message}`, { class: 'denied', step, cause });
  }
}
