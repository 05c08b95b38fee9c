import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { substituteWord, substituteWords, WordError } from '../../../src/model/dockerfile/substitute.ts';

const VALUES: Readonly<Record<string, string>> = { A: 'one', B: 'two words', EMPTY: '', P: 'lib/a.tar.gz' };
const options = { escapeCharacter: '\\', lookup: (name: string) => VALUES[name] } as const;

const lines = (name: string): string[] =>
  readFileSync(join(import.meta.dirname, name), 'utf8')
    .trimEnd()
    .split('\n');

const reference = (inner: string): string => `\${${inner}}`;

describe('variables in a word', () => {
  it.each(lines('words.txt').map((line) => line.split(' => ')))('%s is %s', (text = '', value = '') => {
    expect(substituteWord(text, options)).toBe(value);
  });

  it.each(lines('bad-words.txt'))('%s is refused', (text) => {
    expect(() => substituteWord(text, options)).toThrow(WordError);
  });

  it('a variable with white space stays one word, and an empty one is a word', () => {
    expect(substituteWords('a $B  "c d" $EMPTY', options)).toEqual(['a', 'two words', 'c d', '']);
  });

  it('another escape character makes backslashes literal', () => {
    expect(substituteWord('c:\\dir`$A', { ...options, escapeCharacter: '`' })).toBe('c:\\dir$A');
  });

  it('quotes in a here-document are text', () => {
    expect(substituteWord('say "$A" \'$A\' \\$A \\n', { ...options, keepQuotes: true })).toBe(
      'say "one" \'one\' $A \\n',
    );
  });

  it('a word has 128 KiB at most, whatever its variables contain', () => {
    const long = { ...options, lookup: () => 'x'.repeat(100_000) };
    expect(substituteWord('$A', long)).toHaveLength(100_000);
    for (const text of ['$A$A', '"$A$A"', reference('A//x/yy'), reference('A:+$A$A')]) {
      expect(() => substituteWord(text, long), text).toThrow(/grows longer than 128 KiB/);
    }
    expect(substituteWord('$A$A', { ...long, keepQuotes: true })).toHaveLength(200_000);
  });

  it('a replacement with superlinear cost is refused', () => {
    const long = { ...options, lookup: () => 'a'.repeat(100_000) };
    expect(substituteWord(reference('A//*a*a*a*a*a*a/x'), long)).toBe('x');
    expect(() => substituteWord(reference('A//a*a*a*a*a*b/x'), long)).toThrow(/takes too long to find/);
    expect(substituteWord(reference('A#a*a*a*a*a*b'), long)).toHaveLength(100_000);
    expect(substituteWord(reference('A%%b*a*a*a*a*a'), long)).toHaveLength(100_000);
  });

  it('references nest 32 deep at most', () => {
    const deep = (levels: number) =>
      Array.from({ length: levels }).reduce<string>((inner) => reference(`NO:-${inner}`), 'x');
    expect(substituteWord(deep(32), options)).toBe('x');
    expect(() => substituteWord(deep(20_000), options)).toThrow(/more than 32 deep/);
  });
});
