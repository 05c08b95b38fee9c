import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_CONTENT_BYTES, type ReadFile } from '../../../src/manifest/content.ts';
import { hashContent } from '../../../src/manifest/content-hash.ts';
import { contentPaths } from '../../../src/manifest/content-paths.ts';
import { parseEnvFile } from '../../../src/manifest/env-file.ts';
import { loadEnvironment } from '../../../src/manifest/environment.ts';
import { containerFields, containerSchema } from '../../../src/model/kinds/container.ts';

const filesystem =
  (files: Record<string, string | Buffer>): ReadFile =>
  (path) => {
    const content = files[path];
    if (content === undefined) return { ok: false, reason: 'missing', message: `${path}: no such file` };
    return { ok: true, bytes: Buffer.from(content) };
  };

describe('env files follow docker run --env-file', () => {
  test('values are literal', () => {
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

  test('every value without a line break is unchanged', () => {
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
  test('later files win over earlier ones, env wins over files, and a secret loses one line break', () => {
    const { values, problems } = loadEnvironment(
      { envFile: ['/a.env', '/b.env'], env: { C: 'env', PASSWORD: { fromFile: '/secret' } } },
      filesystem({ '/a.env': 'A=a\nB=a\nC=a', '/b.env': 'B=b\nC=b', '/secret': 'pass\n\n' }),
    );
    expect(problems).toEqual([]);
    expect(Object.fromEntries(values)).toEqual({ A: 'a', B: 'b', C: 'env', PASSWORD: 'pass\n' });
  });

  test('an unreadable file is reported with its field', () => {
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

describe('the reaction to a changed file', () => {
  const files = filesystem({ '/a.conf': 'a', '/b.conf': 'b', '/s': 's', '/big': 'x'.repeat(2 ** 21) });
  const readFile: ReadFile = (path, maxBytes = MAX_CONTENT_BYTES) => {
    const read = files(path);
    if (!read.ok || read.bytes.length <= maxBytes) return read;
    return { ok: false, reason: 'too-large', message: `${path}: larger than ${maxBytes / 2 ** 20} MiB` };
  };
  const content = (written: object) => {
    const spec = containerSchema.parse({ image: 'app', ...written });
    return hashContent(contentPaths(spec, spec), { readFile, hashSecret: () => 'keyed' });
  };
  const bind = (source: string, more: object = {}) => ({ source, target: source, readOnly: true, ...more });

  test('is set by the container for all files and by a mount for its own, and ignored files are not read', () => {
    const { hashes, reactions, inputs } = content({
      onChange: 'signal:hup',
      env: { P: { fromFile: '/s' } },
      volumes: [bind('/a.conf', { onChange: 'recreate' }), bind('/b.conf', { onChange: 'ignore' })],
    });
    expect(Object.keys(hashes)).toEqual(['/a.conf', '/s']);
    expect(reactions).toEqual({ '/a.conf': 'recreate', '/s': 'signal:SIGHUP' });
    expect(inputs).toEqual(['/a.conf', '/s']);
  });

  test('keeps the content of a file that cannot be read now, and reads it again later', () => {
    const spec = containerSchema.parse({ image: 'app', volumes: [bind('/far'), bind('/new')] });
    const silent: ReadFile = (path) => ({ ok: false, reason: 'unanswered', message: `${path} does not answer` });
    const hasher = { readFile: silent, hashSecret: () => 'keyed' };
    const { hashes, inputs, problems } = hashContent(contentPaths(spec, spec), hasher, { '/far': 'before' });
    expect({ hashes, inputs, problems }).toEqual({
      hashes: { '/far': 'before' },
      inputs: ['/far', '/new'],
      problems: [],
    });
  });

  test('is the stronger of two reactions to one file', () => {
    const { reactions } = content({
      env: { P: { fromFile: '/a.conf' } },
      volumes: [bind('/a.conf', { onChange: 'signal:1' })],
    });
    expect(reactions).toEqual({ '/a.conf': 'restart' });
  });

  test('includes a large file or excludes a small one when the manifest says so', () => {
    expect(content({ volumes: [bind('/big')] })).toMatchObject({ hashes: {}, inputs: [], problems: [] });
    expect(Object.keys(content({ volumes: [bind('/big', { watch: true })] }).hashes)).toEqual(['/big']);
    expect(content({ volumes: [bind('/a.conf', { watch: false })] })).toMatchObject({ hashes: {}, inputs: [] });
  });

  test.each([
    [{ source: '/a', target: '/a', watch: true }, 'only a file bound with readOnly is watched'],
    [
      { source: 'data', target: '/a', readOnly: true, onChange: 'restart' },
      'only a file bound with readOnly is watched',
    ],
    [bind('/a', { onChange: 'signal:HUB' }), '"HUB" is not a signal; did you mean SIGHUP?'],
    [bind('/a', { onChange: 'reload' }), '"reload" is not a reaction; write restart, recreate, signal:HUP or ignore'],
  ])('%j is refused', (mount, message) => {
    const { error } = containerFields.shape.volumes.safeParse([mount]);
    const messages = (error?.issues ?? []).flatMap((issue) =>
      'errors' in issue
        ? (issue.errors as { message: string }[][]).flat().map((inner) => inner.message)
        : issue.message,
    );
    expect(messages).toContain(message);
  });
});
