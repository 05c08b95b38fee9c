import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appNameOf, normalise, parseManifest } from '../../../src/manifest/parse.ts';
import { KINDS } from '../../../src/model/resource.ts';

const parse = (text: string) => parseManifest({ text, file: 'a.yaml', appDefault: 'a' });
const messages = (text: string) => parse(text).issues.map(({ message }) => message);

describe('the name of an app', () => {
  test.each([
    ['/etc/manifests/blog.yaml', 'blog'],
    ['shop-2.yml', 'shop-2'],
    ['My Blog.yaml', null],
    ['-', null],
  ])('%s is %s', (file, app) => expect(appNameOf(file)).toBe(app));

  test('is required, and `app:` sets it where the file name cannot', () => {
    const text = 'containers: { web: { image: x } }';
    const file = 'My Blog.yaml';
    expect(parseManifest({ text, file, appDefault: null }).app).toBeNull();
    expect(parseManifest({ text: `app: blog\n${text}`, file, appDefault: null }).app?.app).toBe('blog');
  });
});

describe('text stays literal', () => {
  test('in env, labels and commands, and nowhere else', () => {
    const { app } = parse(
      'containers: { web: { image: x, env: { A: 1.10, B: 0x1F, C: True, D: 1e3 }, command: [sleep, 010], tty: true, resources: { pids: 0x10 } } }',
    );
    const spec = app?.resources[0]?.spec;
    expect(spec).toMatchObject({
      env: { A: '1.10', B: '0x1F', C: 'True', D: '1e3' },
      command: ['sleep', '010'],
      tty: true,
      resources: { pids: 16 },
    });
  });
});

describe('positions', () => {
  test('every written field has one, from its key or list item', () => {
    const { app } = parse('containers:\n  web:\n    image: x\n    ports:\n      - 80\n      - 81\n');
    const web = app?.resources[0];
    expect(web?.position).toEqual({ file: 'a.yaml', line: 2, column: 3 });
    expect(web?.positions).toEqual({
      image: { file: 'a.yaml', line: 3, column: 5 },
      ports: { file: 'a.yaml', line: 4, column: 5 },
      'ports.0': { file: 'a.yaml', line: 5, column: 9 },
      'ports.1': { file: 'a.yaml', line: 6, column: 9 },
    });
  });
});

test('a wrongly indented line is one error, not one for each following line', () => {
  const text =
    'containers:\n  web:\n    image: x\n   network: back\n    command: [a]\n    ports: [80]\n   network: b\n';
  const { issues } = parse(text);
  expect(issues.map(({ message, position }) => [message, position?.line])).toEqual([
    ['All mapping items must start at the same column', 4],
  ]);
});

describe('hostile text ends with an issue', () => {
  const alias = (levels: number) =>
    Array.from(
      { length: levels },
      (_, index) => `k${index}: &a${index} [${`*a${index - 1}, `.repeat(index === 0 ? 0 : 9)}x]`,
    );

  test.each<[string, string, string]>([
    ['deep flow lists', '['.repeat(500_000), 'the file is nested too deeply'],
    ['deep flow mappings', '{a: '.repeat(200_000), 'the file is nested too deeply'],
    ['deep block lists', '- '.repeat(500_000), 'the file is nested too deeply'],
    ['deep explicit keys', '? '.repeat(500_000), 'the file is nested too deeply'],
    ['billion laughs', alias(10).join('\n'), 'the file grows too large when its aliases are written out'],
    ['an alias of itself', 'a: &a [*a]', 'the file is nested too deeply'],
    ['more than 1 MiB', `# ${'x'.repeat(2 ** 20)}`, 'the file is larger than 1 MiB'],
    ['too many parts', 'a:\n'.repeat(300_000), 'the file has too many parts'],
    ['a NUL byte', 'a: \0', 'the character U+0000 is not allowed in YAML'],
    ['half a surrogate pair', 'a: "\uD800"', 'the character U+D800 is not allowed in YAML'],
    ['a key that is a list', '? [a]\n: b', 'With stringKeys, all keys must be strings'],
  ])('%s', (_, text, message) => expect(messages(text)).toContain(message));

  test('a prototype cannot be changed', () => {
    const text = 'containers: { web: { image: x, env: { __proto__: { polluted: yes }, constructor: a } } }';
    expect(messages(text)).toEqual(['"__proto__" cannot be a name']);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  test('a forbidden character is found in its line', () => {
    expect(parse('a: b\n\nc: \u0007').issues[0]?.position).toEqual({ file: 'a.yaml', line: 3, column: 4 });
  });

  test('the list of issues is bounded', () => {
    const text = Array.from({ length: 500 }, (_, index) => `wrong${index}: 1`).join('\n');
    expect(parse(text).issues).toHaveLength(200);
  });
});

describe('any text', () => {
  const word = fc.constantFrom(
    'containers',
    'image',
    'web',
    'ports',
    ':',
    '-',
    '[',
    ']',
    '{',
    '}',
    '&a',
    '*a',
    '!!x',
    '"',
    "'",
    '|',
    '\n',
    '  ',
    '\t',
    '#',
    '---',
    '%',
    ',',
    '?',
    '80:80',
  );

  test('returns a result, never an exception', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary-ascii' }),
          fc.array(word).map((words) => words.join(' ')),
        ),
        (text) => {
          const { app, issues } = parse(text);
          expect(app !== null || issues.length > 0).toBe(true);
          for (const { position } of issues) expect(Math.min(position.line, position.column)).toBeGreaterThan(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('any data as a resource gives a spec or issues', () => {
    fc.assert(
      fc.property(fc.constantFrom(...KINDS), fc.jsonValue(), (kind, value) => {
        const result = normalise(kind, value);
        expect(result.success || result.error.issues.length > 0).toBe(true);
      }),
    );
  });

  test('normalising is deterministic and does not change its input', () => {
    const written = { image: 'x', ports: ['80:80'], resources: { memory: '64MiB' }, volumes: ['/a', 'b:/c:ro'] };
    const before = structuredClone(written);
    expect(normalise('container', written)).toEqual(normalise('container', JSON.parse(JSON.stringify(written))));
    expect(written).toEqual(before);
  });
});
