import { z } from 'zod';
import { orNull, shortForm, textOrNumber } from './schema-parts.ts';
import { MIN_LOG_FILE_BYTES, type Parsed, parseBytes, parsed, refused } from './short-forms.ts';

/** Each rotation renames every file. */
const MAX_FILES = 1000;

/** Facilities of RFC 5424 by their number. */
export const FACILITIES = [
  'kern',
  'user',
  'mail',
  'daemon',
  'auth',
  'syslog',
  'lpr',
  'news',
  'uucp',
  'cron',
  'authpriv',
  'ftp',
  'ntp',
  'audit',
  'alert',
  'clock',
  'local0',
  'local1',
  'local2',
  'local3',
  'local4',
  'local5',
  'local6',
  'local7',
] as const;

export type SyslogAddress =
  | { readonly type: 'udp' | 'tcp'; readonly host: string; readonly port: number }
  | { readonly type: 'unix'; readonly path: string };

/** `udp://host:514`, `tcp://host:601`, `unix:///dev/log`. */
function parseSyslogAddress(text: string): Parsed<SyslogAddress> {
  const path = /^unix:\/\/(\/[^\0]{1,106})$/.exec(text)?.[1];
  if (path !== undefined) return parsed({ type: 'unix', path });
  const [, type, bracketed, plain, digits] =
    /^(udp|tcp):\/\/(?:\[([0-9a-f:.]+)\]|([a-zA-Z0-9.-]+)):(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  const host = bracketed ?? plain;
  if (host === undefined || port < 1 || port > 65_535) {
    return refused(
      `"${text}" is not an address of a syslog server; write udp://host:514, tcp://host:601 or unix:///dev/log`,
    );
  }
  return parsed({ type: type === 'tcp' ? 'tcp' : 'udp', host, port });
}

const size = shortForm(textOrNumber(), parseBytes).refine(
  (bytes) => bytes >= MIN_LOG_FILE_BYTES,
  'the minimum is 128KiB',
);

/** One word of printable ASCII: the application name of RFC 5424. */
const tag = z.string().regex(/^[!-~]{1,48}$/, 'expected up to 48 printable characters without spaces');

/** How much of the output of a container is kept, and where it goes besides. */
export const log = z
  .strictObject({
    maxSize: size.prefault('10MiB'),
    maxFiles: z.int().min(1).max(MAX_FILES).default(5),
    driver: z.enum(['json-file', 'journald', 'syslog']).default('json-file'),
    address: orNull(shortForm(z.string(), parseSyslogAddress)),
    format: orNull(z.enum(['rfc5424', 'rfc3164'])),
    facility: orNull(z.enum(FACILITIES)),
    tag: orNull(tag),
  })
  .transform(({ maxSize, ...rest }, context) => {
    for (const name of ['address', 'format', 'facility'] as const) {
      if (rest[name] === null || rest.driver === 'syslog') continue;
      const socket = name === 'address' && rest.driver === 'journald';
      if (socket && rest.address?.type === 'unix') continue;
      const message = socket ? 'a journal has a unix socket: unix:///path' : `${name} is for driver syslog`;
      context.addIssue({ code: 'custom', message, path: [name] });
    }
    if (rest.tag !== null && rest.driver === 'json-file')
      context.addIssue({ code: 'custom', message: 'tag is for drivers journald and syslog', path: ['tag'] });
    return { maxBytes: maxSize, ...rest };
  })
  .prefault({});

export type LogSettings = Readonly<z.output<typeof log>>;
