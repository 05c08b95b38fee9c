// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what stands in Compose files is what is tested
/**
 * Files of others with parts cut out, doubled, moved and replaced by unexpected text: the result is a manifest or issues,
 * never an exception. With TSD_CORPUS the files of that directory are included.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bundleText } from '../../../src/manifest/importers/bundle.ts';
import { manifestText } from '../../../src/manifest/importers/write.ts';
import { appNameOf, parseManifest } from '../../../src/manifest/parse.ts';

const RUNS = Number(process.env.TSD_MUTATIONS ?? 20);

/** Names that objects have by birth, words of the formats where they do not belong, and ends of what was begun. */
const HOSTILE = [
  ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'prototype', '__defineGetter__'],
  ...['<<: *a', '&a', '*a', '!reset', '!override', '{{ .Values.x }}', '${', '${A:?}', '$$', '%', '%i', '\\', '"', "'"],
  ...[
    'services:',
    'include: [x.yaml]',
    'extends: a',
    'kind: List',
    'items:',
    'null',
    '~',
    '[]',
    '{}',
    '- ',
    ': ',
    '\n',
    '\t',
  ],
  ...[
    '-1',
    '0',
    '1e999',
    'NaN',
    '0x10',
    '99999999999999999999',
    '../../..',
    '/',
    '',
    '😀',
    '\ud800',
    '\u0000',
    'a'.repeat(300),
  ],
];

const roots = [
  join(import.meta.dirname, '../../fixtures/importers'),
  ...(process.env.TSD_CORPUS ? [process.env.TSD_CORPUS] : []),
];
const files = roots.flatMap((root) =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ya?ml|container|volume|network|image|build|pod|kube)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name)),
);

/** Every file that is asked for is there, and is another one of them. */
const others = files.map((path) => readFileSync(path));
const readFile = (path: string) => {
  const bytes = others[path.length % others.length];
  return bytes && /x\.yaml|\.env|override/.test(path)
    ? { ok: true as const, bytes }
    : { ok: false as const, reason: 'missing' as const, message: `${path}: no such file` };
};

function survives(file: string, text: string): void {
  const reach = { baseDir: dirname(file), readFile };
  const { issues, translation } = parseManifest({ text, file, appDefault: appNameOf(basename(file)), reach });
  for (const { code, message, position } of issues) {
    expect(code).not.toBe('TSD_BUG');
    expect([typeof message, position.line > 0]).toEqual(['string', true]);
  }
  if (translation && issues.length === 0) manifestText(translation);
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
}

const mutation = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.integer({ min: 0, max: 40 }),
  how: fc.constantFrom('cut', 'double', 'replace', 'insert', 'line'),
  word: fc.constantFrom(...HOSTILE),
});
type Mutation = Parameters<Parameters<typeof mutation.map>[0]>[0];

function mutated(text: string, { at, length, how, word }: Mutation): string {
  const start = Math.floor(at * text.length);
  const [before, part, after] = [text.slice(0, start), text.slice(start, start + length), text.slice(start + length)];
  if (how === 'cut') return before + after;
  if (how === 'double') return before + part + part + after;
  if (how === 'insert') return before + word + part + after;
  if (how === 'replace') return before + word + after;
  // The word in place of the next one: a key or a value.
  return before + (part + after).replace(/[\w-]+/, () => word);
}

describe('mutated files', () => {
  test('as text', () => {
    fc.assert(
      fc.property(fc.constantFrom(...files), fc.array(mutation, { minLength: 1, maxLength: 6 }), (file, mutations) => {
        survives(file, mutations.reduce(mutated, readFileSync(file, 'utf8')));
      }),
      { numRuns: RUNS * 4 },
    );
  });

  test('as several files of one app', () => {
    const kind = fc.constantFrom('compose' as const, 'units' as const);
    const part = fc.tuple(fc.constantFrom(...files), fc.array(mutation, { maxLength: 3 }));
    fc.assert(
      fc.property(kind, fc.array(part, { minLength: 1, maxLength: 4 }), (which, parts) => {
        const texts = parts.map(([file, mutations]) => ({
          file,
          text: mutations.reduce(mutated, readFileSync(file, 'utf8')),
        }));
        survives(texts[0]?.file ?? '', bundleText(which, texts));
      }),
      { numRuns: RUNS },
    );
  });
});

test('a refused build unit does not affect another of the same name', () => {
  const build = (line: string) => ({ file: '/units/api.build', text: `[Build]\nImageTag=localhost/api\n${line}\n` });
  survives('/units/api.build', bundleText('units', [build(''), build('SetWorkingDirectory=./api')]));
});

describe('data with the right structure', () => {
  const key = fc.oneof(
    fc.constantFrom(...HOSTILE),
    fc.constantFrom(
      'a',
      'image',
      'build',
      'ports',
      'volumes',
      'networks',
      'deploy',
      'depends_on',
      'extends',
      'configs',
    ),
    fc.constantFrom(
      'secrets',
      'healthcheck',
      'logging',
      'environment',
      'env_file',
      'links',
      'labels',
      'content',
      'source',
    ),
    fc.constantFrom(
      'containers',
      'env',
      'valueFrom',
      'name',
      'livenessProbe',
      'httpGet',
      'resources',
      'limits',
      'target',
    ),
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom<unknown>(...HOSTILE, null, true, 0, -1, 1e30, [], {}),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(key, tie('any'), { maxKeys: 5, noNullPrototype: true }),
    ),
  })).any;
  const named = fc.dictionary(key, value, { maxKeys: 5, noNullPrototype: true });

  test('of Compose', () => {
    const sections = ['services', 'networks', 'volumes', 'secrets', 'configs', 'include'] as const;
    const root = fc.record(
      Object.fromEntries(sections.map((section) => [section, section === 'include' ? value : named])),
    );
    fc.assert(
      fc.property(root, (data) => survives('/app/shop.yaml', JSON.stringify(data))),
      { numRuns: RUNS * 3 },
    );
  });

  test('of Kubernetes', () => {
    const kind = fc.constantFrom('Pod', 'Deployment', 'List', 'ConfigMap', 'Secret', 'Service', 'Job', 'constructor');
    const object = fc.record({
      apiVersion: fc.constant('v1'),
      kind,
      metadata: value,
      spec: value,
      data: value,
      items: value,
    });
    fc.assert(
      fc.property(fc.array(object, { minLength: 1, maxLength: 3 }), (objects) =>
        survives('/app/pod.yaml', objects.map((one) => JSON.stringify(one)).join('\n---\n')),
      ),
      { numRuns: RUNS * 3 },
    );
  });
});
