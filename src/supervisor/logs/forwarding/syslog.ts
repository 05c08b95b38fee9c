/** Entries as syslog messages: RFC 5424, or RFC 3164 as the C library writes it to /dev/log. */
import { hostname } from 'node:os';
import type { LogEntry } from '../../../api/requests.ts';
import { FACILITIES } from '../../../model/kinds/log-forms.ts';
import type { LogOrigin } from './sink.ts';

export interface SyslogForm {
  readonly format: 'rfc5424' | 'rfc3164';
  readonly facility: (typeof FACILITIES)[number];
  /** The C library leaves the host name out of what it writes to /dev/log. */
  readonly local: boolean;
}

/** Informational and Error. */
const SEVERITY = { stdout: 6, stderr: 3 } as const;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

const two = (value: number): string => String(value).padStart(2, '0');

/** `Jan  2 15:04:05` in local time, which RFC 3164 asks for. */
function oldTime(time: string): string {
  const at = new Date(time);
  const day = String(at.getDate()).padStart(2, ' ');
  return `${MONTHS[at.getMonth()]} ${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** RFC 5424 takes six decimals at most. */
const newTime = (time: string): string => time.replace(/(\.\d{6})\d+Z$/, '$1Z');

/** A value of structured data: `"`, `\` and `]` are escaped. */
const quoted = (text: string): string => `"${text.replace(/["\\\]]/g, '\\$&')}"`;

/** One message, without a frame around it. A line break inside would end it for many receivers. */
export function syslogMessage({ log, stream, time }: LogEntry, origin: LogOrigin, form: SyslogForm): Buffer {
  const priority = FACILITIES.indexOf(form.facility) * 8 + SEVERITY[stream];
  const text = log
    .replace(/\r?\n$/, '')
    .replaceAll('\n', '\\n')
    .replaceAll('\0', '\\0');
  const id = origin.containerId.slice(0, 12);
  if (form.format === 'rfc3164') {
    const host = form.local ? '' : `${hostname()} `;
    return Buffer.from(`<${priority}>${oldTime(time)} ${host}${origin.tag.slice(0, 32)}[${id}]: ${text}`);
  }
  const data = `[container@32473 id=${quoted(id)} name=${quoted(origin.engineName)} image=${quoted(origin.image)}]`;
  return Buffer.from(`<${priority}>1 ${newTime(time)} ${hostname() || '-'} ${origin.tag} ${id} - ${data} ${text}`);
}
