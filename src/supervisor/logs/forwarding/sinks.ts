import type { LogSettings } from '../../../model/kinds/log-forms.ts';
import { JOURNAL_SOCKET, journalMessage } from './journald.ts';
import { TcpSink, UdpSink } from './net-sinks.ts';
import type { LogSink } from './sink.ts';
import { type SyslogForm, syslogMessage } from './syslog.ts';
import { UnixSink } from './unix-sink.ts';

const DEV_LOG = { type: 'unix', path: '/dev/log' } as const;

/** The receiver of a container's log; null where the file alone is wanted. */
export function sinkFor(log: LogSettings): LogSink | null {
  if (log.driver === 'json-file') return null;
  if (log.driver === 'journald') {
    return new UnixSink(log.address?.type === 'unix' ? log.address.path : JOURNAL_SOCKET, journalMessage);
  }
  const address = log.address ?? DEV_LOG;
  const local = address.type === 'unix';
  const form: SyslogForm = {
    format: log.format ?? (local ? 'rfc3164' : 'rfc5424'),
    facility: log.facility ?? 'daemon',
    local,
  };
  const format: ConstructorParameters<typeof UnixSink>[1] = (entry, origin) => syslogMessage(entry, origin, form);
  switch (address.type) {
    case 'unix':
      return new UnixSink(address.path, format);
    case 'udp':
      return new UdpSink(address.host, address.port, format);
    case 'tcp':
      return new TcpSink(address.host, address.port, format);
  }
}
