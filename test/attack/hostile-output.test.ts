/**
 * Output that hostile texts caused: escape codes and reversed lines on a terminal, messages as long as the file that they
 * are about, an issue for each of its sixty thousand words, and a defect for a line of a Dockerfile.
 */
import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Document, parse } from 'yaml';
import { formatData } from '../../src/cli/data.ts';
import { terminalText } from '../../src/cli/output/terminal-text.ts';
import { printable } from '../../src/cli/output/text.ts';
import { NETWORK_DRIVERS_OF_MANIFESTS } from '../../src/composition/network-drivers.ts';
import { parseImageConfig } from '../../src/images/image-config.ts';
import { desiredState, type ResolveOptions } from '../../src/manifest/desired-state.ts';
import { yamlText } from '../../src/manifest/yaml-written.ts';
import { readDockerfile } from '../../src/model/dockerfile/stages.ts';
import { toTsdError } from '../../src/model/errors/errors.ts';
import { parseIgnoreFile } from '../../src/model/text/ignore-file.ts';
import { humanLine } from '../../src/supervisor/log.ts';

const long = 'k'.repeat(900_000);
const OBEYED = /(?![\n\t])[\p{Cc}\u202a-\u202e\u2066-\u2069]/u;
/** CSI of one character, right-to-left override, an isolate, DEL. */
const TEXTS = [
  '\u009b31m',
  '\u202eabc',
  '\u2066',
  '\u007f',
  '\u001b[2J',
  '\u001b]0;title\u0007',
  'a: b',
  '- x',
  '#',
  '\n',
];

const options: ResolveOptions = {
  generation: 1,
  defaultHostIp: '0.0.0.0',
  networkDrivers: NETWORK_DRIVERS_OF_MANIFESTS,
  readFile: () => ({ ok: false, reason: 'missing', message: 'no such file' }),
  hashSecret: (bytes) => createHash('sha256').update(bytes).digest('hex'),
};

function outcome(file: string, text: string) {
  const content = { ok: true as const, text };
  const sources = [{ sourceId: file, file: `/m/${file}`, baseDir: '/m', content, lastGood: null }];
  const found = desiredState(sources, options).sources.get(file);
  if (found === undefined) throw new Error('the file was left out');
  return found;
}

function errorOf(action: () => unknown) {
  try {
    action();
  } catch (thrown) {
    return toTsdError(thrown);
  }
  throw new Error('it was taken');
}

test('JSON and YAML output has no control sequences, and the data is unchanged', async () => {
  const text = fc.array(fc.constantFrom(...TEXTS), { maxLength: 5 }).map((parts) => parts.join(''));
  const value = fc.record({ labels: fc.dictionary(text, text), list: fc.array(text) });
  await fc.assert(
    fc.asyncProperty(value, async (written) => {
      const [json, yaml] = [await formatData(written, 'json'), await formatData(written, 'yaml')];
      expect(json).not.toMatch(OBEYED);
      expect(yaml).not.toMatch(OBEYED);
      const same = JSON.parse(JSON.stringify(written));
      expect(JSON.parse(json)).toEqual(same);
      expect(parse(`${yaml}\n`)).toEqual(same);
    }),
  );
});

test('a translated manifest has no control sequences', () => {
  const written = yamlText(new Document({ a: '\u009b2J\u202e', b: 'two\nlines \u001b' }));
  expect(written).not.toMatch(OBEYED);
  expect(parse(written)).toEqual({ a: '\u009b2J\u202e', b: 'two\nlines \u001b' });
});

test.each(['\u202ecba', '\u2066x\u2069', '\u009b31m'])(
  '%j has no effect in tables, messages, container logs and the daemon log',
  (text) => {
    expect(printable(text)).not.toMatch(OBEYED);
    expect(terminalText(text, true)).not.toMatch(OBEYED);
    expect(humanLine(JSON.stringify({ time: 0, level: 30, msg: text, cause: text }))).not.toMatch(OBEYED);
  },
);

test.each([
  ['app.yaml', `containers:\n  a: { image: b, "${long}": 1 }\n`],
  ['app.yaml', `containers:\n  a: { image: b, restart: "${long}" }\n`],
  [
    'app.yaml',
    `containers:\n  a: { image: b, links: [${Array.from({ length: 60_000 }, (_, n) => `x${n}`).join(',')}] }\n`,
  ],
  ['compose.yaml', `services:\n  a: { image: b, volumes: ["${long}"] }\n`],
  [
    'compose.yaml',
    `services:\n  a: { image: b, ${Array.from({ length: 20_000 }, (_, n) => `k${n}: 1`).join(', ')} }\n`,
  ],
])('messages about %s are bounded (%#)', (file, text) => {
  const { issues, warnings } = outcome(file, text);
  expect(issues.length + warnings.length).toBeGreaterThan(0);
  expect(JSON.stringify([issues, warnings]).length).toBeLessThan(100_000);
});

test('the last of many issues has the total count', () => {
  const { issues } = outcome('app.yaml', `containers:\n  a: { image: b, links: [${'x,'.repeat(300)}] }\n`);
  const links = Array.from({ length: 300 }, (_, n) => `x${n}`).join(', ');
  const many = outcome(
    'app.yaml',
    `images: { b: { pull: b } }\ncontainers:\n  a: { image: b, links: [${links}] }\n`,
  ).issues;
  expect(issues.length).toBeGreaterThan(0);
  expect(many.length).toBe(201);
  expect(many.at(-1)?.message).toBe('and 100 more from here on');
});

test.each([
  ['an instruction', `FROM a\n${long} b\n`],
  ['its arguments', `FROM a\nCOPY ${long}\n`],
  ['a flag', `FROM a\nCOPY --${long} a b\n`],
])('the error for %s of a megabyte is short', (_, text) => {
  const error = errorOf(() => readDockerfile(text, 'Dockerfile', {}, {}));
  expect(error.code).toBe('TSD_DOCKERFILE');
  expect(error.message.length).toBeLessThan(2_000);
});

test('the error for an image configuration with thousands of mistakes is short', () => {
  const config = { config: { Env: Array.from({ length: 50_000 }, () => 1) } };
  const error = errorOf(() => parseImageConfig(JSON.stringify(config)));
  expect(error.code).toBe('TSD_IMAGE_INVALID');
  expect(error.message.length).toBeLessThanOrEqual(16 * 1024);
});

test('an invalid line of an ignore file is shown truncated', () => {
  expect(parseIgnoreFile(`[${long}`).problems[0]?.message.length).toBeLessThan(1_000);
});

test('an ignored path of a megabyte needs less than a hundred times its size', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  const { matcher } = parseIgnoreFile(`${'ab'.repeat(500_000)}\n`);
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(48 * 1024 ** 2);
  expect(matcher.ignores('ab')).toBe(false);
});

test('here-documents that the parser confuses are an error of the file', () => {
  const text = "FROM a\nRUN --mount=type=cache,target=/x <<E <<-'F''''\na\nE\n\tb\nF\n";
  expect(errorOf(() => readDockerfile(text, 'Dockerfile', {}, {})).code).toBe('TSD_DOCKERFILE');
});
