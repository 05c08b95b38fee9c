import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { normalise } from '../../../src/manifest/parse.ts';
import { canonicalJson, specHash } from '../../../src/manifest/spec-hash.ts';
import type { Kind } from '../../../src/model/resource.ts';

function hashOf(kind: Kind, written: unknown, content: Record<string, string> = {}): string {
  const result = normalise(kind, written);
  if (!result.success) throw new Error(JSON.stringify(result.error.issues));
  return specHash(kind, result.data, content);
}

/** The same data with the keys of every object in reverse order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

describe('canonical JSON', () => {
  test('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(canonicalJson(reversed(value))).toBe(canonicalJson(value));
      }),
    );
  });

  test('is equivalent to its input', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('a spec hash', () => {
  test('of a container with only an image never changes', () => {
    // A changed value here recreates every running container at the next upgrade.
    expect(hashOf('container', { image: 'nginx' })).toMatchInlineSnapshot(
      `"635fcb9127465398e994fe35135a973545a1f0870e524f13e208956a0d3c04d3"`,
    );
    expect(hashOf('volume', null)).toMatchInlineSnapshot(
      `"3a4d9ac0a6d1fe851306b23d8aeac1aeb72bab17c27780f330710d6ff30f36be"`,
    );
    expect(hashOf('network', {})).toMatchInlineSnapshot(
      `"5cd7420620522ffc47bbb56a252ec5b6f75db9e0bbe15fc99747a482d8a3cf9b"`,
    );
    expect(hashOf('image', { host: ['node'] })).toMatchInlineSnapshot(
      `"cdf09fb212b92750eb77e3a4d0755633c5a76912d9b63b64826a574856949d36"`,
    );
  });

  test('is equal for explicit and implicit defaults, and for short and long forms', () => {
    const short = hashOf('container', { image: 'x', ports: [80], restart: 'on-failure:3', volumes: ['a:/a'] });
    const long = hashOf('container', {
      volumes: [{ target: '/a', source: 'a' }],
      restart: { max: 3, policy: 'on-failure' },
      ports: ['80/tcp'],
      network: 'bridge',
      env: {},
      stopTimeout: '10s',
      resources: { memory: undefined, ulimits: {} },
      image: 'x',
    });
    expect(long).toBe(short);
  });

  test.each<[string, unknown]>([
    ['image', { image: 'y' }],
    ['env', { image: 'x', env: { A: '' } }],
    ['memory', { image: 'x', resources: { memory: '64m' } }],
    ['an explicit empty command', { image: 'x', command: [] }],
    ['tty', { image: 'x', tty: true }],
  ])('changes with %s', (_, written) =>
    expect(hashOf('container', written)).not.toBe(hashOf('container', { image: 'x' })),
  );

  test('changes with the content of a file', () => {
    const written = { image: 'x', envFile: ['./a.env'] };
    expect(hashOf('container', written, { './a.env': 'aa' })).not.toBe(
      hashOf('container', written, { './a.env': 'bb' }),
    );
  });
});
