/** What a container wrote, as a client asks for it: which entries, and the bytes of each. */
import type { LogEntry, LogOptions } from '../../api/requests.ts';
import { DockerError } from '../wire/docker-error.ts';
import type { Query } from '../wire/query.ts';
import { framed } from './frames.ts';

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;
const NS_DIGITS = 9;

export interface LogQuery {
  readonly options: LogOptions;
  /** Unix time in ns; null without a bound. Both belong to what is wanted. */
  readonly sinceNs: bigint | null;
  readonly untilNs: bigint | null;
  readonly timestamps: boolean;
  readonly details: boolean;
}

/** `S` or `S.n`, as the client makes them of dates; null for none. @throws DockerError 400 */
export function timeOf(query: Query, name: string): bigint | null {
  const text = query.text(name);
  if (text === '') return null;
  const found = /^(-?\d{1,12})(?:\.(\d+))?$/.exec(text);
  if (found === null) throw new DockerError(400, `invalid value for "${name}": ${JSON.stringify(text)}`);
  const [, seconds = '0', fraction = ''] = found;
  return BigInt(seconds) * NS_PER_SECOND + BigInt(fraction.slice(0, NS_DIGITS).padEnd(NS_DIGITS, '0'));
}

/** What is no number, or less than none, means all. */
function tailOf(text: string): number | null {
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

const upwards = (ns: bigint): number => Number((ns + NS_PER_MS - 1n) / NS_PER_MS);

/** @throws DockerError 400 */
export function logQueryOf(query: Query): LogQuery {
  const [stdout, stderr] = [query.flag('stdout'), query.flag('stderr')];
  if (!stdout && !stderr) throw new DockerError(400, 'Bad parameters: you must choose at least one stream');
  const unlessZero = (time: bigint | null): bigint | null => (time === 0n ? null : time);
  const [sinceNs, untilNs] = [unlessZero(timeOf(query, 'since')), unlessZero(timeOf(query, 'until'))];
  return {
    options: {
      follow: query.flag('follow'),
      tail: tailOf(query.text('tail')),
      sinceMs: sinceNs === null ? null : Number(sinceNs / NS_PER_MS),
      untilMs: untilNs === null ? null : upwards(untilNs) + 1,
      stdout,
      stderr,
    },
    sinceNs,
    untilNs,
    timestamps: query.flag('timestamps'),
    details: query.flag('details'),
  };
}

/** Unix time in ns of an entry; its fraction has as many digits as there are. */
function nanoseconds(time: string): bigint {
  const fraction = /\.(\d{1,9})/.exec(time)?.[1] ?? '';
  const seconds = BigInt(Math.floor(Date.parse(time) / 1000));
  return seconds * NS_PER_SECOND + BigInt(fraction.padEnd(NS_DIGITS, '0'));
}

/** With nine decimals, whatever the entry has. */
function timestamp(time: string): string {
  const fraction = /\.(\d+)/.exec(time)?.[1] ?? '';
  return `${time.slice(0, 19)}.${fraction.slice(0, NS_DIGITS).padEnd(NS_DIGITS, '0')}Z`;
}

export function isWanted({ time }: LogEntry, { sinceNs, untilNs }: LogQuery): boolean {
  if (sinceNs === null && untilNs === null) return true;
  const at = nanoseconds(time);
  return (sinceNs === null || at >= sinceNs) && (untilNs === null || at <= untilNs);
}

/** @param raw without a frame, as of a terminal */
export function lineOf(entry: LogEntry, { timestamps, details }: LogQuery, raw: boolean): Buffer {
  // No label or variable is kept with a line: what stands for them is empty.
  const text = Buffer.from(`${timestamps ? `${timestamp(entry.time)} ` : ''}${details ? ' ' : ''}${entry.log}`);
  return raw ? text : framed(entry.stream, text);
}
