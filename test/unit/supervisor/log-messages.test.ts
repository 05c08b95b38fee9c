import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import type { LogEntry } from '../../../src/api/requests.ts';
import { containerSchema } from '../../../src/model/kinds/container.ts';
import { journalMessage } from '../../../src/supervisor/logs/forwarding/journald.ts';
import { syslogMessage } from '../../../src/supervisor/logs/forwarding/syslog.ts';

const origin = { containerId: 'a1'.repeat(32), engineName: 'blog-web', image: 'nginx:"1"', tag: 'blog-web' };
const entry = (log: string, stream: LogEntry['stream'] = 'stdout'): LogEntry => ({
  log,
  stream,
  time: '2026-01-02T03:04:05.123456789Z',
});

test('a journal message has its fields, and a length where the text has line breaks', () => {
  const text = journalMessage(entry('hello\n', 'stderr'), origin).toString();
  expect(text).toContain('MESSAGE=hello\nPRIORITY=3\nSYSLOG_IDENTIFIER=blog-web\n');
  expect(text).toContain('CONTAINER_NAME=blog-web\n');
  expect(text).not.toContain('PARTIAL');
  const injected = journalMessage(entry('a\nPRIORITY=0'), origin);
  expect(injected.subarray(0, 8).toString()).toBe('MESSAGE\n');
  expect(injected.readBigUInt64LE(8)).toBe(12n);
  expect(injected.subarray(16, 29).toString()).toBe('a\nPRIORITY=0\n');
  expect(injected.toString()).toContain('CONTAINER_PARTIAL_MESSAGE=true\n');
});

test('syslog messages of both kinds', () => {
  const form = { format: 'rfc5424', facility: 'local0', local: false } as const;
  expect(syslogMessage(entry('one\ntwo\0\n'), origin, form).toString()).toBe(
    `<134>1 2026-01-02T03:04:05.123456Z ${hostname()} blog-web a1a1a1a1a1a1 - ` +
      '[container@32473 id="a1a1a1a1a1a1" name="blog-web" image="nginx:\\"1\\""] one\\ntwo\\0',
  );
  const old = syslogMessage(entry('x\n', 'stderr'), origin, { format: 'rfc3164', facility: 'daemon', local: true });
  expect(old.toString()).toMatch(/^<27>Jan {2}[123] \d\d:04:05 blog-web\[a1a1a1a1a1a1\]: x$/);
});

test.each([
  [{ driver: 'syslog', address: 'udp://10.0.0.1:514' }, null],
  [{ driver: 'syslog', address: 'tcp://[::1]:601', format: 'rfc5424', facility: 'local7', tag: 'web' }, null],
  [{ driver: 'journald', address: 'unix:///run/systemd/journal.x/socket' }, null],
  [{ driver: 'syslog', address: 'http://x:1' }, 'is not an address of a syslog server'],
  [{ driver: 'syslog', address: 'udp://x:0' }, 'is not an address of a syslog server'],
  [{ driver: 'journald', address: 'udp://x:1' }, 'a journal has a unix socket'],
  [{ facility: 'daemon' }, 'facility is for driver syslog'],
  [{ tag: 'x' }, 'tag is for drivers'],
  [{ driver: 'syslog', tag: 'a b' }, 'printable characters'],
  [{ maxSize: '1KiB' }, 'the minimum is 128KiB'],
])('%j', (log, problem) => {
  const result = containerSchema.safeParse({ image: 'x', log });
  if (problem === null) expect(result.error).toBeUndefined();
  else expect(result.error?.message).toContain(problem);
});
