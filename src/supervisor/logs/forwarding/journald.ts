/** Entries in the journal's native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): fields as Docker's journald driver has them. */
import type { LogEntry } from '../../../api/requests.ts';
import type { LogOrigin } from './sink.ts';

export const JOURNAL_SOCKET = '/run/systemd/journal/socket';

/** LOG_INFO and LOG_ERR of syslog(3). */
const PRIORITY = { stdout: '6', stderr: '3' } as const;

/** `NAME=value`, or with the length before it where the value may hold line breaks. */
function field(name: string, value: string): Buffer {
  const bytes = Buffer.from(value);
  if (!bytes.includes(10)) return Buffer.concat([Buffer.from(`${name}=`), bytes, Buffer.from('\n')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from('\n')]);
}

export function journalMessage({ log, stream, time }: LogEntry, origin: LogOrigin): Buffer {
  const whole = log.endsWith('\n');
  return Buffer.concat([
    field('MESSAGE', whole ? log.slice(0, -1) : log),
    field('PRIORITY', PRIORITY[stream]),
    field('SYSLOG_IDENTIFIER', origin.tag),
    field('SYSLOG_TIMESTAMP', time),
    field('CONTAINER_ID', origin.containerId.slice(0, 12)),
    field('CONTAINER_ID_FULL', origin.containerId),
    field('CONTAINER_NAME', origin.engineName),
    field('CONTAINER_TAG', origin.tag),
    field('IMAGE_NAME', origin.image),
    ...(whole ? [] : [field('CONTAINER_PARTIAL_MESSAGE', 'true')]),
  ]);
}
