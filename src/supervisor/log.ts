/** The supervisor's own log on standard error: lines for people on a terminal, JSON otherwise. */
import pino, { type Logger } from 'pino';
import type { DaemonConfig } from '../daemon-config.ts';

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

function humanLine(json: string): string {
  const { time, level, msg, pid: _pid, hostname: _host, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const rest = Object.entries(fields).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const stamp = new Date(Number(time)).toISOString().slice(11, 23);
  return `${[stamp, pino.levels.labels[Number(level)]?.padEnd(5), msg, ...rest].join(' ')}\n`;
}

export function createLogger(level: DaemonConfig['logLevel'], terminal: boolean): Logger {
  const options = { level: LEVELS[level], base: null };
  if (!terminal) return pino(options, pino.destination({ fd: 2, sync: true }));
  return pino(options, { write: (json: string) => process.stderr.write(humanLine(json)) });
}
