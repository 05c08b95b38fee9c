/** The supervisor's own log on standard error: lines for people on a terminal, JSON otherwise. */
import pino, { type Logger } from 'pino';
import { asBlanks } from '../model/text/text-controls.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';

export type { Logger };

/** Docker's level names, as pino has them. */
const LEVELS: Readonly<Record<DaemonConfig['logLevel'], string>> = {
  panic: 'fatal',
  fatal: 'fatal',
  error: 'error',
  warn: 'warn',
  warning: 'warn',
  info: 'info',
  debug: 'debug',
};

/** Messages quote what manifests, images and probes say; a terminal must obey none of it. Only a stack has lines. */
const printable = (text: string, name = ''): string =>
  name === 'stack' ? text.replace(/[^\P{Cc}\n]+/gu, ' ') : asBlanks(text);

/** @internal */
export function humanLine(json: string): string {
  const { time, level, msg, pid: _pid, hostname: _host, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([name, value]) => `${name}=${printable(typeof value === 'string' ? value : JSON.stringify(value), name)}`,
  );
  const stamp = new Date(Number(time)).toISOString().slice(11, 23);
  return `${[stamp, pino.levels.labels[Number(level)]?.padEnd(5), printable(String(msg)), ...rest].join(' ')}\n`;
}

/** Lines that wait for a full disk to have room; what is beyond that is lost. */
const MOST_WAITING_BYTES = 1024 ** 2;

/** A line that cannot be written, as on a full disk, is no error of the caller. */
export function createLogger(level: DaemonConfig['logLevel'], terminal: boolean): Logger {
  const options = { level: LEVELS[level], base: null };
  if (terminal) {
    process.stderr.on('error', () => undefined);
    return pino(options, { write: (json: string) => process.stderr.write(humanLine(json)) });
  }
  const destination = pino.destination({ fd: 2, sync: true, maxLength: MOST_WAITING_BYTES });
  destination.on('error', () => undefined);
  return pino(options, destination);
}
