import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Reserve } from '../../../src/state/files/reserve.ts';

const KIB = 1024;
let disk = '';

beforeEach(() => {
  disk = mkdtempSync('/tmp/tsd-test-reserve-');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=20m', 'tmpfs', disk]);
});

afterEach(() => {
  execFileSync('umount', [disk]);
  rmdirSync(disk);
});

const write = (name: string, bytes: number): void =>
  writeFileSync(join(disk, name), Buffer.alloc(bytes), { flag: 'a' });

function fill(): void {
  expect(() => {
    for (;;) write('ballast', 64 * KIB);
  }).toThrow(/ENOSPC/);
  expect(() => {
    for (;;) write('ballast', 4 * KIB);
  }).toThrow(/ENOSPC/);
}

test('releases one slice at a time to ops that make room, and refills later', async () => {
  const path = join(disk, 'reserve');
  const reserve = new Reserve(path);
  reserve.refill();
  expect(statSync(path)).toMatchObject({ size: 2048 * KIB, mode: 0o100600 });
  for (let slice = 1; slice <= 4; slice++) {
    fill();
    expect(reserve.spendOn(() => write(`small-${slice}`, 8 * KIB))).toBeUndefined();
    fill();
    await reserve.spendOnAsync(async () => write(`small-${slice}`, 8 * KIB));
    expect(statSync(path).size).toBe((2048 - slice * 512) * KIB);
    reserve.refill();
  }
  fill();
  expect(() => reserve.spendOn(() => write('late', KIB))).toThrow(/ENOSPC/);
  expect(statSync(path).size).toBe(0);
  rmSync(join(disk, 'ballast'));
  reserve.refill();
  expect(statSync(path).size).toBe(2048 * KIB);
});

test('ignores other failures, and does not exist on a small disk', () => {
  const path = join(disk, 'reserve');
  const reserve = new Reserve(path);
  write('ballast', 3072 * KIB);
  reserve.refill();
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
  rmSync(join(disk, 'ballast'));
  reserve.refill();
  let asked = 0;
  const failing = () => {
    asked += 1;
    throw new Error('something else');
  };
  expect(() => reserve.spendOn(failing)).toThrow('something else');
  expect(asked).toBe(1);
  expect(statSync(path).size).toBe(2048 * KIB);
});
