import { stripVTControlCharacters, styleText } from 'node:util';
import { asBlanks } from '../../model/text/text-controls.ts';
import type { Output, Streams } from '../context.ts';

export type Style = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold';

/** Colours only on a terminal that can, and never when NO_COLOR is set (no-color.org). */
export function paint(streams: Pick<Streams, 'env'>, output: Output, style: Style, text: string): string {
  const wanted = output.isTTY === true && (streams.env.NO_COLOR ?? '') === '' && streams.env.TERM !== 'dumb';
  return wanted ? styleText(style, text, { validateStream: false }) : text;
}

/** Text that came from outside, on one line and without anything a terminal would obey. */
export function printable(text: string): string {
  return asBlanks(stripVTControlCharacters(text)).trimEnd();
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `12.3MiB`: three significant digits, powers of 1024. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : Number(value.toPrecision(3))}${BYTE_UNITS[unit]}`;
}

/** Time since an RFC 3339 moment in its largest unit: `12s`, `5m`, `3h`, `2d`; `-` for none. */
export function formatAge(time: string | null, nowMs: number): string {
  if (time === null) return '-';
  const seconds = Math.max(0, Math.floor((nowMs - Date.parse(time)) / 1000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  const days = Math.floor(seconds / 86_400);
  return days < 2 * 365 ? `${days}d` : `${Math.floor(days / 365.25)}y`;
}

/** `1 operation`, `2 operations`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
