/** A container's log from the supervisor, also over restarts of the supervisor. */
import { setTimeout as delay } from 'node:timers/promises';
import type { SupervisorClient } from '../../api/client.ts';
import type { LogEntry, LogOptions } from '../../api/requests.ts';
import { TsdError } from '../../model/errors/errors.ts';

const RETRY_MS = 250;
/** How long a follower waits for a supervisor that went away. */
const PATIENCE_MS = 60_000;

export interface LogStreamOptions {
  readonly client: SupervisorClient;
  readonly name: string;
  readonly options: LogOptions;
  /** Called when the connection is lost, and when it is back. */
  readonly onConnection: (state: 'lost' | 'restored') => void;
}

/** The entry that was seen last: its time, and how many had exactly that time. */
interface Seen {
  readonly time: string;
  readonly count: number;
}

function next(seen: Seen | null, { time }: LogEntry): Seen {
  return { time, count: seen?.time === time ? seen.count + 1 : 1 };
}

/** Entries behind the one that was seen last; where that is not in the log any more, all that are later. */
async function* behind(entries: AsyncIterable<LogEntry>, seen: Seen): AsyncGenerator<LogEntry> {
  let left = seen.count;
  let reached = false;
  for await (const entry of entries) {
    if (!reached && entry.time === seen.time && left > 0) {
      left -= 1;
      continue;
    }
    if (!reached && left === seen.count && nanoseconds(entry.time) <= nanoseconds(seen.time)) continue;
    reached = true;
    yield entry;
  }
}

/** RFC 3339 with up to nine decimals, as one number. */
function nanoseconds(time: string): bigint {
  const [, fraction = ''] = /\.(\d+)Z$/.exec(time) ?? [];
  return BigInt(Math.floor(Date.parse(time) / 1000)) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
}

const isGone = (thrown: unknown): boolean => thrown instanceof TsdError && thrown.code === 'TSD_NO_SUPERVISOR';

/** @throws TsdError TSD_NO_SUPERVISOR when none answers in time */
async function reconnect(client: SupervisorClient): Promise<void> {
  for (const deadline = Date.now() + PATIENCE_MS; ; ) {
    try {
      await client.version();
      return;
    } catch (thrown) {
      if (!isGone(thrown) || Date.now() > deadline) throw thrown;
      await delay(RETRY_MS);
    }
  }
}

/**
 * Entries in order. With `follow` a lost connection is made again for up to a minute, and the log continues behind the entry
 * that came last.
 * @throws TsdError as the client does
 */
export async function* logStream({ client, name, options, onConnection }: LogStreamOptions): AsyncGenerator<LogEntry> {
  let seen: Seen | null = null;
  if (options.follow) await client.version();
  for (;;) {
    try {
      const resumed: LogOptions = seen ? { ...options, tail: null, sinceMs: Date.parse(seen.time) } : options;
      const entries = client.logs(name, resumed);
      for await (const entry of seen ? behind(entries, seen) : entries) {
        seen = next(seen, entry);
        yield entry;
      }
      return;
    } catch (thrown) {
      if (!options.follow || !isGone(thrown)) throw thrown;
      onConnection('lost');
      await reconnect(client);
      onConnection('restored');
    }
  }
}
