import { appendFileSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogOptions } from '../../../src/api/requests.ts';
import type { PlacedEntry } from '../../../src/supervisor/logs/entry.ts';
import { LogTail } from '../../../src/supervisor/logs/log-tail.ts';
import { readLog } from '../../../src/supervisor/logs/read-log.ts';

const ALL: LogOptions = { follow: false, tail: null, sinceMs: null, untilMs: null, stdout: true, stderr: true };
const entry = (log: string, second = 0, stream = 'stdout') =>
  `${JSON.stringify({ log, stream, time: `2026-01-01T00:00:${String(second).padStart(2, '0')}.5Z` })}\n`;

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsd-log-'));
  path = join(directory, 'x-json.log');
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function read(options: LogOptions): Promise<string[]> {
  const lines: string[] = [];
  for await (const { log } of readLog(path, options, () => true, new AbortController().signal)) lines.push(log);
  return lines;
}

describe('readLog', () => {
  test('reads rotated files oldest first', async () => {
    writeFileSync(`${path}.2`, entry('a\n'));
    writeFileSync(`${path}.1`, entry('b\n'));
    writeFileSync(path, entry('c\n'));
    expect(await read(ALL)).toEqual(['a\n', 'b\n', 'c\n']);
  });

  test('selects by tail, since and streams', async () => {
    writeFileSync(path, entry('a\n', 1) + entry('b\n', 2, 'stderr') + entry('c\n', 3));
    expect(await read({ ...ALL, tail: 2 })).toEqual(['b\n', 'c\n']);
    expect(await read({ ...ALL, tail: 0 })).toEqual([]);
    expect(await read({ ...ALL, sinceMs: Date.parse('2026-01-01T00:00:02.5Z') })).toEqual(['b\n', 'c\n']);
    expect(await read({ ...ALL, stdout: false })).toEqual(['b\n']);
    expect(await read({ ...ALL, stdout: false, tail: 5 })).toEqual(['b\n']);
    expect(await read({ ...ALL, untilMs: Date.parse('2026-01-01T00:00:03.5Z') })).toEqual(['a\n', 'b\n']);
    expect(await read({ ...ALL, tail: 1, untilMs: Date.parse('2026-01-01T00:00:03.5Z') })).toEqual(['b\n']);
  });

  test('skips damaged lines, and reads a missing log as empty', async () => {
    expect(await read(ALL)).toEqual([]);
    writeFileSync(path, `not json\n{"log":1}\nnull\n${entry('ok\n')}{"log":"torn`);
    expect(await read(ALL)).toEqual(['ok\n']);
  });

  test('follow continues over a rotation and ends with the last line', async () => {
    writeFileSync(path, entry('a\n'));
    let ended = false;
    const seen: string[] = [];
    for await (const { log } of readLog(path, { ...ALL, follow: true }, () => ended, new AbortController().signal)) {
      seen.push(log);
      if (log === 'a\n') appendFileSync(path, entry('b\n'));
      if (log === 'b\n') {
        appendFileSync(path, entry('c\n'));
        renameSync(path, `${path}.1`);
        writeFileSync(path, entry('d\n'));
      }
      if (log === 'd\n') ended = true;
    }
    expect(seen).toEqual(['a\n', 'b\n', 'c\n', 'd\n']);
  });
});

describe('LogTail', () => {
  const stored = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, index) => entry(`${from + index}\n`)).join('');
  const rotate = (files: number) => {
    for (let number = files - 1; number > 0; number--) {
      const older = number === 1 ? path : `${path}.${number - 1}`;
      if (existsSync(older)) renameSync(older, `${path}.${number}`);
    }
  };
  const drain = async (tail: LogTail) => {
    const seen: PlacedEntry[] = [];
    for (let entries = await tail.next(); entries !== null; entries = await tail.next()) seen.push(...entries);
    return seen;
  };
  const numbers = (entries: readonly PlacedEntry[]) => entries.map(({ log }) => Number(log));
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
  const positionOf = (tail: LogTail, { end, mark }: PlacedEntry) => ({ inode: tail.inode, offset: end, mark });

  test('reads files that rotated several times between two reads in order', async () => {
    writeFileSync(path, stored(0, 3));
    const tail = new LogTail(path);
    await tail.fromOldest();
    expect(numbers(await drain(tail))).toEqual([0, 1, 2]);
    appendFileSync(path, stored(3, 4));
    for (const from of [4, 6, 8]) {
      rotate(5);
      writeFileSync(path, stored(from, from + 2));
    }
    expect(numbers(await drain(tail))).toEqual(range(3, 10));
    expect(tail.gaps).toBe(0);
    await tail.close();
  });

  test('finds a position again after rotations, and counts a lost one as a gap', async () => {
    writeFileSync(path, stored(0, 10));
    const first = new LogTail(path);
    await first.fromOldest();
    const [, , , fourth] = await drain(first);
    if (!fourth) throw new Error('no fourth entry');
    const position = positionOf(first, fourth);
    await first.close();
    rotate(3);
    writeFileSync(path, stored(10, 12));
    const again = new LogTail(path);
    await again.fromPosition(position);
    expect(numbers(await drain(again))).toEqual(range(4, 12));
    await again.close();
    for (const from of [12, 14]) {
      rotate(3);
      writeFileSync(path, stored(from, from + 2));
    }
    const late = new LogTail(path);
    await late.fromPosition(position);
    expect(numbers(await drain(late))).toEqual(range(10, 16));
    expect(late.gaps).toBe(1);
    await late.close();
  });

  test('does not confuse a file with a removed one of the same inode number', async () => {
    writeFileSync(path, stored(0, 10));
    const first = new LogTail(path);
    await first.fromOldest();
    const last = (await drain(first)).at(-1);
    if (!last) throw new Error('no entry');
    const position = positionOf(first, last);
    await first.close();
    // As after a reuse: same inode, same length, other content.
    writeFileSync(path, stored(20, 30).replaceAll('00.5Z', '09.5Z'));
    const again = new LogTail(path);
    await again.fromPosition(position);
    expect(numbers(await drain(again))).toEqual(range(20, 30));
    await again.close();
  });

  test('continues at the start of a truncated log', async () => {
    writeFileSync(path, stored(0, 10));
    const tail = new LogTail(path);
    await tail.fromOldest();
    await drain(tail);
    writeFileSync(path, stored(10, 12));
    expect(numbers(await drain(tail))).toEqual([10, 11]);
    expect(tail.gaps).toBe(1);
    await tail.close();
  });

  test('starts a number of entries before the end, over files', async () => {
    writeFileSync(`${path}.1`, stored(0, 5000));
    writeFileSync(path, stored(5000, 5003));
    for (const [lines, from] of [
      [0, 5003],
      [2, 5001],
      [3, 5000],
      [4, 4999],
      [4000, 1003],
      [9999, 0],
    ] as const) {
      const tail = new LogTail(path);
      await tail.fromEnd(lines);
      expect(numbers(await drain(tail))).toEqual(range(from, 5003));
      await tail.close();
    }
  });

  test('loses nothing while a writer rotates as fast as it can', async () => {
    const tail = new LogTail(path);
    await tail.fromOldest();
    const seen: number[] = [];
    let written = 0;
    const write = async () => {
      while (written < 3000) {
        appendFileSync(path, stored(written, written + 10));
        written += 10;
        if (written % 50 === 0) rotate(1000);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const done = write();
    while (written < 3000) {
      seen.push(...numbers((await tail.next()) ?? []));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await done;
    seen.push(...numbers(await drain(tail)));
    expect(seen).toEqual(range(0, 3000));
    expect(tail.gaps).toBe(0);
    await tail.close();
  });
});
