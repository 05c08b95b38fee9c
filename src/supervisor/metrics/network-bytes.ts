import { readFileSync } from 'node:fs';

export interface NetworkBytes {
  readonly received: number;
  readonly sent: number;
}

/** Sums of all interfaces but loopback, of /proc/PID/net/dev (proc_pid_net(5)). @internal */
export function parseNetworkBytes(text: string): NetworkBytes {
  let received = 0;
  let sent = 0;
  for (const line of text.split('\n')) {
    const [name, counters] = line.split(':');
    if (counters === undefined || name?.trim() === 'lo') continue;
    const fields = counters.trim().split(/\s+/).map(Number);
    received += fields[0] ?? 0;
    sent += fields[8] ?? 0;
  }
  return { received, sent };
}

/** Of the network namespace that a process is in; null when the process is gone. */
export function networkBytesOf(pid: number): NetworkBytes | null {
  try {
    return parseNetworkBytes(readFileSync(`/proc/${pid}/net/dev`, 'utf8'));
  } catch {
    return null;
  }
}
