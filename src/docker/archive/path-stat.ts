/** What clients learn of a path before they copy it. Pure. */
import type { BigIntStats } from 'node:fs';

const S_IFMT = 0o170000;
/** os.FileMode of Go by file type of Linux. */
const TYPES: Readonly<Record<number, number>> = {
  [0o040000]: 2 ** 31,
  [0o120000]: 2 ** 27,
  [0o060000]: 2 ** 26,
  [0o020000]: 2 ** 26 + 2 ** 21,
  [0o010000]: 2 ** 25,
  [0o140000]: 2 ** 24,
};
const SPECIAL: readonly (readonly [linux: number, go: number])[] = [
  [0o4000, 2 ** 23],
  [0o2000, 2 ** 22],
  [0o1000, 2 ** 20],
];

/** Mode as Go has it, whose bits are not those of Linux. */
function goFileMode(mode: number): number {
  const special = SPECIAL.reduce((sum, [linux, go]) => sum + ((mode & linux) === 0 ? 0 : go), 0);
  return (mode & 0o777) + special + (TYPES[mode & S_IFMT] ?? 0);
}

/** RFC 3339 in UTC, without zeros at the end. */
function goTime(ns: bigint): string {
  const seconds = ns / 1_000_000_000n - (ns % 1_000_000_000n < 0n ? 1n : 0n);
  const fraction = `${ns - seconds * 1_000_000_000n}`.padStart(9, '0').replace(/0+$/, '');
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${whole}${fraction === '' ? '' : `.${fraction}`}Z`;
}

/** The header `X-Docker-Container-Path-Stat`. @param linkTarget empty for what is no link */
export function pathStat(name: string, stat: BigIntStats, linkTarget: string): string {
  const { size, mode, mtimeNs } = stat;
  const json = { name, size: Number(size), mode: goFileMode(Number(mode)), mtime: goTime(mtimeNs), linkTarget };
  return Buffer.from(JSON.stringify(json)).toString('base64');
}
