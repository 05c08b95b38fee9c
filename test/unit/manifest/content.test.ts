import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadEnvironment, type ReadFile } from '../../../src/manifest/content.ts';
import { parseEnvFile } from '../../../src/manifest/env-file.ts';

const filesystem =
  (files: Record<string, string | Buffer>): ReadFile =>
  (path) => {
    const content = files[path];
    if (content === undefined) return { ok: false, reason: 'missing', message: `${path}: no such file` };
    return { ok: true, bytes: Buffer.from(content) };
  };

describe('env files follow docker run --env-file', () => {
  test('values are taken as they are', () => {
    const { values, problems } = parseEnvFile(
      '\uFEFF# comment\nA=1\n\n  B= two words \nC="quoted"\nD=x=y\nE=\r\nA=2\n',
    );
    expect(problems).toEqual([]);
    expect(Object.fromEntries(values)).toEqual({ A: '2', B: ' two words ', C: '"quoted"', D: 'x=y', E: '' });
  });

  test('lines without a name, with white space in it or without "=" are refused, and no value is shown', () => {
    const { values, problems } = parseEnvFile('HOME\nA B=secret\n=secret\nGOOD=1\nNUL=\0secret');
    expect([...values.keys()]).toEqual(['GOOD']);
    expect(problems).toEqual([
      { line: 1, message: '"HOME" has no "="' },
      { line: 2, message: 'the name "A B" is empty or has white space' },
      { line: 3, message: 'the name "" is empty or has white space' },
      { line: 5, message: '"NUL" has a NUL byte' },
    ]);
  });

  test('every value without a line break comes through unchanged', () => {
    const name = fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_.-]*$/);
    const value = fc.stringMatching(/^[^\r\n\0]*$/);
    fc.assert(
      fc.property(fc.dictionary(name, value, { noNullPrototype: true }), (values) => {
        const text = Object.entries(values).map(([key, text]) => `${key}=${text}`);
        expect(Object.fromEntries(parseEnvFile(text.join('\n')).values)).toEqual(values);
      }),
    );
  });
});

describe("a container's environment", () => {
  test('later files win over earlier ones, env over files; a secret loses one line break', () => {
    const { values, problems } = loadEnvironment(
      { envFile: ['/a.env', '/b.env'], env: { C: 'env', PASSWORD: { fromFile: '/secret' } } },
      filesystem({ '/a.env': 'A=a\nB=a\nC=a', '/b.env': 'B=b\nC=b', '/secret': 'pass\n\n' }),
    );
    expect(problems).toEqual([]);
    expect(Object.fromEntries(values)).toEqual({ A: 'a', B: 'b', C: 'env', PASSWORD: 'pass\n' });
  });

  test('what cannot be read is told by field', () => {
    const { problems } = loadEnvironment(
      { envFile: ['/none.env', '/bad.env'], env: { P: { fromFile: '/binary' }, Q: { fromFile: '/long' } } },
      filesystem({ '/bad.env': 'X', '/binary': Buffer.from([0xff]), '/long': 'x'.repeat(200_000) }),
    );
    expect(problems).toEqual([
      { field: 'envFile.0', message: '/none.env: no such file' },
      { field: 'envFile.1', message: '/bad.env:1: "X" has no "="' },
      { field: 'env.P', message: '/binary is not text in UTF-8' },
      { field: 'env.Q', message: '/long is too long for an environment variable' },
    ]);
  });
});
