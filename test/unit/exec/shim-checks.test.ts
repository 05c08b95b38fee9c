import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const tests = join(root, 'build/tsdocker-shim-tests');

/** As Go reads UTF-8: each byte that is not part of a well-formed sequence is one U+FFFD. */
function decode(bytes: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((n) => {
      try {
        return at + n <= bytes.length && decoder.decode(bytes.subarray(at, at + n)).length > 0;
      } catch {
        return false;
      }
    });
    text += length === undefined ? '\ufffd' : decoder.decode(bytes.subarray(at, at + length));
    at += length ?? 1;
  }
  return text;
}

describe('the pure parts of the shim, under address and undefined-behaviour sanitizers', () => {
  beforeAll(() => {
    execFileSync('make', ['-s', '-C', join(root, 'shim'), '../build/tsdocker-shim-tests'], { stdio: 'inherit' });
  }, 60_000);

  it('hold their own checks and survive damaged frames, programs and text', () => {
    expect(execFileSync(tests, { encoding: 'utf8' })).toBe('shim: all checks hold\n');
  }, 60_000);

  it('write JSON that reads back as what Go would have written', () => {
    const hostile = fc.oneof(
      fc.uint8Array({ maxLength: 3 }),
      fc.string({ unit: 'binary' }).map((text) => Buffer.from(text)),
      fc
        .constantFrom('\u2028', '\u2029', '<', '&', '"', '\\', '\0', '\x7f', '\ud7ff', '\ue000')
        .map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(fc.array(hostile, { minLength: 200, maxLength: 400 }), (pieces) => {
        const input = Buffer.concat(pieces);
        const escaped = execFileSync(tests, ['escape'], { input, encoding: 'utf8' });
        expect(escaped).not.toMatch(/[<>&\u2028\u2029]/);
        expect(JSON.parse(`"${escaped}"`)).toBe(decode(input));
      }),
      { numRuns: 20 },
    );
  }, 30_000);
});
