import { describe, expect, it } from 'vitest';
import { ignoreFileNames, parseIgnoreFile } from '../../../src/model/text/ignore-file.ts';

const ignores = (rules: string, path: string): boolean => parseIgnoreFile(rules).matcher.ignores(path);

describe('.dockerignore', () => {
  it.each([
    ['a', 'a', true],
    ['a', 'a/b/c', true],
    ['a', 'b/a', false],
    ['/a', 'a', true],
    ['a/', 'a/b', true],
    ['./a/../b', 'b', true],
    ['*.md', 'x.md', true],
    ['*.md', 'd/x.md', false],
    ['*/*.md', 'd/x.md', true],
    ['**/*.md', 'x.md', true],
    ['**/*.md', 'a/b/x.md', true],
    ['**', 'anything/at/all', true],
    ['a/**', 'a/b', true],
    ['a/**', 'a', false],
    ['a/**/z', 'a/z', true],
    ['a/**/z', 'a/b/c/z', true],
    ['temp?', 'temp1', true],
    ['temp?', 'temp', false],
    ['temp?', 'temp/', false],
    ['[a-c].txt', 'b.txt', true],
    ['[^a-c].txt', 'b.txt', false],
    ['[^a-c].txt', 'x.txt', true],
    ['a[*]', 'a*', true],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['a.b', 'aXb', false],
    ['a(b', 'a(b', true],
    ['# a\na', 'a', true],
    ['#a', '#a', false],
    ['  a  ', 'a', true],
    ['*\n!keep', 'keep', false],
    ['*\n!keep', 'other', true],
    ['*\n!keep/in', 'keep/in', false],
    ['*\n!keep/in', 'keep/out', true],
    ['!keep\n*', 'keep', true],
    ['*.md\n!README*.md\nREADME-secret.md', 'README.md', false],
    ['*.md\n!README*.md\nREADME-secret.md', 'README-secret.md', true],
    ['\ufeffa', 'a', true],
    ['a\r\nb', 'b', true],
    ['.', 'a', false],
    ['/', 'a', false],
    ['..', 'a', false],
    ['../a', 'a', true],
    ['ümlaut', 'ümlaut', true],
  ])('%j ignores %j: %s', (rules, path, expected) => {
    expect(ignores(rules, path)).toBe(expected);
  });

  it('only directories with possible matches are read', () => {
    const { matcher } = parseIgnoreFile('*\n!src/app\n');
    expect(matcher.mayHoldWanted('src')).toBe(true);
    expect(matcher.mayHoldWanted('src/app/deep')).toBe(true);
    expect(matcher.mayHoldWanted('node_modules')).toBe(false);
    expect(parseIgnoreFile('*\n!**/x').matcher.mayHoldWanted('anything')).toBe(true);
    expect(parseIgnoreFile('*').matcher.mayHoldWanted('anything')).toBe(false);
  });

  it('a file has 800 wildcards at most, which bounds the match of a path', () => {
    const { problems } = parseIgnoreFile('a*b*c*d*\n'.repeat(201));
    expect(problems).toEqual([{ line: 201, message: '"a*b*c*d*" is one wildcard too many; the file may have 800' }]);
  });

  it('an invalid pattern is named with its line', () => {
    expect(parseIgnoreFile('a\n[\nb\\').problems).toEqual([
      { line: 2, message: '"[" is no pattern' },
      { line: 3, message: '"b\\\\" is no pattern' },
    ]);
  });

  it('the ignore file of a Dockerfile wins over the common one', () => {
    expect(ignoreFileNames('build/App.dockerfile')).toEqual(['build/App.dockerfile.dockerignore', '.dockerignore']);
    expect(ignoreFileNames(null)).toEqual(['.dockerignore']);
  });
});
