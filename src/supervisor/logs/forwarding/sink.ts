/** Where entries are forwarded to. */
import type { LogEntry } from '../../../api/requests.ts';

/** The writer of an entry, as receivers see it. */
export interface LogOrigin {
  readonly containerId: string;
  readonly engineName: string;
  readonly image: string;
  readonly tag: string;
}

export interface LogSink {
  /**
   * Resolves when the kernel has taken the entry for a receiver that is there; waits while the receiver is behind.
   * @throws TsdError when there is no receiver
   */
  send(entry: LogEntry, origin: LogOrigin): Promise<void>;
  close(): void;
}
