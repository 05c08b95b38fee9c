import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { PatternError, pathGlob, textGlobs } from '../../../src/model/text/glob.ts';

/** The meaning of a pattern by exhaustive search, for short texts only. */
function matches(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  const rest = (length: number) => text.slice(length);
  if (pattern.startsWith('**/'))
    return [0, ...[...text.matchAll(/\//g)].map(({ index }) => index + 1)].some((at) =>
      matches(pattern.slice(3), rest(at)),
    );
  if (pattern.startsWith('**')) return [...text, ''].some((_, at) => matches(pattern.slice(2), rest(at)));
  if (pattern.startsWith('*'))
    return [...text, ''].some((_, at) => !text.slice(0, at).includes('/') && matches(pattern.slice(1), rest(at)));
  const isTaken = pattern[0] === '?' ? text !== '' && text[0] !== '/' : text[0] === pattern[0];
  return isTaken && matches(pattern.slice(1), rest(1));
}

test('a path matches like an exhaustive search', () => {
  const pattern = fc.array(fc.constantFrom('a', 'b', '/', '*', '**', '**/', '?'), { maxLength: 6 });
  const text = fc.array(fc.constantFrom('a', 'b', '/'), { maxLength: 7 });
  fc.assert(
    fc.property(pattern, text, (parts, characters) => {
      const [written, path] = [parts.join(''), characters.join('')];
      // Three stars in a row are two and one.
      fc.pre(!written.includes('***'));
      expect(pathGlob(written).test(path)).toBe(matches(written, path));
    }),
    { numRuns: 2_000 },
  );
});

describe('the work is linear in the text', () => {
  const steps = (pattern: string, text: string): number => {
    let count = 0;
    pathGlob(pattern).ends(text, () => {
      count += 1;
    });
    return count;
  };

  it.each([7, 8, 32])('%i stars in a pattern read each character once', (stars) => {
    expect(steps(`${'*a'.repeat(stars)}b`, 'a'.repeat(4_000))).toBe(4_000);
  });

  it('accepts 32 wildcards at most', () => {
    expect(() => pathGlob('*a'.repeat(33))).toThrow(new PatternError('has more than 32 wildcards'));
    expect(() => textGlobs('*a'.repeat(33))).toThrow(PatternError);
  });
});

it.each(['[', '[b-a]', 'a\\', '[]'])('%s is not a pattern', (pattern) => {
  expect(() => pathGlob(pattern)).toThrow(new PatternError('is no pattern'));
});
