import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogOptions } from '../../../src/api/supervisor.ts';
import { readLog } from '../../../src/supervisor/log-reader.ts';

const ALL: LogOptions = { follow: false, tail: null, sinceMs: null, stdout: true, stderr: true };
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

  test('tail, since and streams', async () => {
    writeFileSync(path, entry('a\n', 1) + entry('b\n', 2, 'stderr') + entry('c\n', 3));
    expect(await read({ ...ALL, tail: 2 })).toEqual(['b\n', 'c\n']);
    expect(await read({ ...ALL, tail: 0 })).toEqual([]);
    expect(await read({ ...ALL, sinceMs: Date.parse('2026-01-01T00:00:02.5Z') })).toEqual(['b\n', 'c\n']);
    expect(await read({ ...ALL, stdout: false })).toEqual(['b\n']);
  });

  test('damaged lines are passed over, and no log is an empty one', async () => {
    expect(await read(ALL)).toEqual([]);
    writeFileSync(path, `not json\n{"log":1}\nnull\n${entry('ok\n')}{"log":"torn`);
    expect(await read(ALL)).toEqual(['ok\n']);
  });

  test('follow goes on over a rotation and ends when nothing more will come', async () => {
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
