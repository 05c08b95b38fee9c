import { describe, expect, test } from 'vitest';
import { parseManifest } from '../../../src/manifest/parse.ts';
import { withoutResource } from '../../../src/manifest/without-resource.ts';
import type { Kind } from '../../../src/model/resource.ts';

const without = (text: string, kind: Kind, name: string) =>
  withoutResource({ text, file: 'blog.yaml', appDefault: 'blog' }, kind, name);

const BLOCK = `# the blog
images:
  app: { host: [node] }
containers:
  web: # front
    image: app
    command:
      - node

  db:
    image: app
`;

describe('removal of a resource from the text', () => {
  test('keeps the text after it', () => {
    const left = without(BLOCK, 'container', 'web') ?? '';
    const { app, issues } = parseManifest({ text: left, file: 'blog.yaml', appDefault: 'blog' });
    expect(issues).toEqual([]);
    expect(app?.resources.map(({ kind, name, position }) => `${kind}/${name}:${position.line}`)).toEqual([
      'image/app:3',
      'container/db:10',
    ]);
    expect(left.split('\n')).toHaveLength(BLOCK.split('\n').length);
  });

  test('removes the section with its last resource', () => {
    expect(without('volumes:\n  a: {}\nnetworks: { n: {} }\n', 'volume', 'a')?.trim()).toBe('networks: { n: {} }');
    expect(without('{ volumes: { a: {} }, networks: { n: {} } }', 'network', 'n')?.trimEnd()).toMatch(
      /^\{ volumes: \{ a: \{\} \} +\}$/,
    );
  });

  test.each([
    ['first', 'a', '{        b: {}, c: {} }'],
    ['middle', 'b', '{ a: {},        c: {} }'],
    ['last', 'c', '{ a: {}, b: {}        }'],
  ])('removes the %s of a flow mapping with its comma', (_, name, rest) => {
    expect(without('volumes: { a: {}, b: {}, c: {} }\n', 'volume', name)).toBe(`volumes: ${rest}\n`);
  });

  test('works in a later document', () => {
    const left = without('volumes: { a: {} }\n---\nvolumes:\n  b:\n  c:\n', 'volume', 'b') ?? '';
    expect(left).toBe('volumes: { a: {} }\n---\nvolumes:\n    \n  c:\n');
  });
});

describe('the text stays unchanged', () => {
  test('where the resource is not declared', () => {
    expect(without(BLOCK, 'container', 'nosuch')).toBeNull();
  });

  test('where others use its anchor', () => {
    expect(without('volumes: { a: &same { labels: { x: y } }, b: *same }\n', 'volume', 'a')).toBeNull();
  });

  test('in a foreign format', () => {
    expect(without('services: { a: { image: x }, b: { image: y } }\n', 'container', 'a')).toBeNull();
  });

  test('unless nothing else is declared, which removes all of it', () => {
    expect(without('volumes: { a: {} }\n', 'volume', 'a')).toBe('nothing');
  });
});
