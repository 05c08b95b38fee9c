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

  it('another escape character leaves backslashes alone', () => {
    expect(substituteWord('c:\\dir`$A', { ...options, escapeCharacter: '`' })).toBe('c:\\dir$A');
  });

  it('in the body of a here-document quotes are text', () => {
    expect(substituteWord('say "$A" \'$A\' \\$A \\n', { ...options, keepQuotes: true })).toBe(
      'say "one" \'one\' $A \\n',
    );
  });
});
