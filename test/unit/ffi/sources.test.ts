/** Rules of the sources that imports alone do not show. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const src = join(import.meta.dirname, '../../../src');

function filesWith(pattern: RegExp): string[] {
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  return files.filter((file) => pattern.test(readFileSync(join(src, file), 'utf8'))).sort();
}

test('openat2 is called by its number in one file, and by name in none', () => {
  expect(filesWith(/\bOPENAT2\b|\b437, 437\b/)).toEqual(['ffi/files/lookup.ts', 'ffi/files/openat2.ts']);
  expect(filesWith(/(op|tryOp|opToSlot|trySyscall|syscall)\([^;]*'openat2'/)).toEqual([]);
});

test('no function of src/ffi returns undefined', () => {
  const given =
    /^(?:export (?:async )?function \w+| {2}(?:static |async )*[a-z]\w*)\([^{]*\): (?!Generator)[^{=]*\bundefined\b/m;
  expect('export function f(a: number): string | undefined {').toMatch(given);
  expect(filesWith(given).filter((file) => file.startsWith('ffi/'))).toEqual([]);
});

test('races are retried in one place', () => {
  expect(filesWith(/\b(EAGAIN|EWOULDBLOCK|EINTR|ENOBUFS|EBUSY)\b[^;]*\bcontinue\b/)).toEqual([]);
  expect(filesWith(/from '(\.\/|.*\/call\/)retry\.ts'/)).toEqual([
    'drivers/exec/native/shim/launcher.ts',
    'ffi/bpf.ts',
    'ffi/call/native.ts',
    'ffi/files/lookup.ts',
    'ffi/network/netlink.ts',
    'ffi/storage/loop-device.ts',
    'supervisor/metrics/metrics.ts',
  ]);
});

test('CIDR notation and signal names are each parsed in one place', () => {
  expect(filesWith(/\b(?:\w*subnet|\w*cidr|bip)\.(?:split|slice|replace|match|lastIndexOf)\(/i)).toEqual([]);
  expect(filesWith(/constants\.signals\[/)).toEqual(['cli/terminal/terminal.ts']);
  expect(filesWith(/\bSIGRTM|STKFLT/)).toEqual(['model/signals.ts']);
});
