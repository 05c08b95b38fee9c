import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { pathStat } from '../../../src/docker/archive/path-stat.ts';

test('modes have the bits of Go, and times end with their last digit', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsd-test-stat-'));
  try {
    const path = join(directory, 'file');
    writeFileSync(path, 'four');
    utimesSync(path, 1_700_000_000.25, 1_700_000_000.25);
    const stat = statSync(path, { bigint: true });
    const read = (mode: number): { mode: number } =>
      JSON.parse(
        Buffer.from(
          pathStat('file', Object.assign(Object.create(stat), { mode: BigInt(mode) }), ''),
          'base64',
        ).toString(),
      ) as { mode: number };
    expect(read(0o100644)).toEqual({
      name: 'file',
      size: 4,
      mode: 0o644,
      mtime: '2023-11-14T22:13:20.25Z',
      linkTarget: '',
    });
    expect(
      [0o041777, 0o120777, 0o060660, 0o020620, 0o010600, 0o140755, 0o104755, 0o102755].map((of) => read(of).mode),
    ).toEqual([
      2 ** 31 + 2 ** 20 + 0o777,
      2 ** 27 + 0o777,
      2 ** 26 + 0o660,
      2 ** 26 + 2 ** 21 + 0o620,
      2 ** 25 + 0o600,
      2 ** 24 + 0o755,
      2 ** 23 + 0o755,
      2 ** 22 + 0o755,
    ]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
