import { expect, test } from 'vitest';
import { containerSchema } from '../../../src/model/kinds/container.ts';
import { shortPair, shownValue, writtenDuration, writtenSize } from '../../../src/model/text/shown-value.ts';
import { diffSpecs } from '../../../src/reconcile/plan/diff.ts';
import { describeFields } from '../../../src/supervisor/sources/source-changes.ts';
import { diffStates } from '../../../src/supervisor/views/plan-views.ts';
import { declare } from '../../support/declare.ts';

/** The differences of an edit of one container. */
function edited(from: Record<string, unknown>, to: Record<string, unknown>): string[] {
  const app = (web: Record<string, unknown>) => declare({ blog: { containers: { web } } }, 1);
  return diffStates(app(from), app(to)).flatMap((difference) => describeFields(difference).split('; '));
}

test('fields have their manifest names, mappings the differing member', () => {
  expect(
    edited(
      {
        update: { timeout: '20s' },
        log: { maxSize: '10MiB' },
        health: { exec: ['pg_isready'], interval: '5s' },
        volumes: ['data:/d'],
      },
      {
        update: { timeout: '3s' },
        log: { maxSize: '1g' },
        health: { exec: ['pg_isready'], interval: '1m30s', retries: 9 },
        volumes: ['data:/d', '/etc:/e:ro'],
        stopTimeout: '1s',
        env: { WAIT: '5s' },
      },
    ).sort(),
  ).toEqual([
    'env.WAIT unset -> "5s"',
    'health.interval 5s -> 1m30s',
    'health.retries unset -> 9',
    'log.maxSize 10MiB -> 1g',
    'stopTimeout unset -> 1s',
    'update.timeout 20s -> 3s',
    'volumes ["data:/d"] -> ["data:/d","/etc:/e:ro"]',
  ]);
});

test('an equal value in another form is no difference, and an added or removed object is shown by its members', () => {
  expect(edited({ update: { timeout: '60s' } }, { update: { timeout: '1m' } })).toEqual([]);
  expect(edited({ health: { tcp: 80, interval: '5s' } }, {})).toEqual([
    'health.tcp 80 -> unset',
    'health.interval 5s -> unset',
  ]);
});

test('values of a plan have the names and units of the manifest', () => {
  const spec = (log: object) => ({ stopTimeoutMs: 90_000, log });
  const fields = diffSpecs('container', spec({ maxBytes: 10_485_760 }), {
    ...spec({ maxBytes: 1_000_000 }),
    stopTimeoutMs: 500,
  });
  expect(fields.map(({ path, from, to }) => [path, from, to])).toEqual([
    ['stopTimeout', '1m30s', '500ms'],
    ['log.maxSize', '10MiB', '1000000'],
  ]);
});

test('values in words', () => {
  expect([0, 1, 999, 1000, 61_000, 3_600_000].map(writtenDuration)).toEqual(['0s', '1ms', '999ms', '1s', '1m1s', '1h']);
  expect([0, 1024, 1536, 3 * 1024 ** 3].map(writtenSize)).toEqual(['0', '1KiB', '1536', '3GiB']);
  expect(shownValue('resources.memory', '256MiB')).toBe('256MiB');
  expect(shownValue('env.SIZE', '256MiB')).toBe('"256MiB"');
  expect(shownValue('image', 'nginx:1')).toBe('"nginx:1"');
});

test('two long texts are truncated around their difference', () => {
  const [long, other] = [`["sh","-c","${'x'.repeat(80)} one"]`, `["sh","-c","${'x'.repeat(80)} two"]`];
  expect(shortPair(long, other, 30)).toEqual(['…xxxxxxx one"]', '…xxxxxxx two"]']);
  expect(shortPair('"a"', '"b"', 30)).toEqual(['"a"', '"b"']);
  expect(shortPair('unset', 'y'.repeat(40), 30)).toEqual(['unset', `${'y'.repeat(29)}…`]);
});

test('a stored spec that lacks a later field differs in nothing by it', () => {
  const { resources } = declare({ blog: { containers: { web: { image: 'app' } } } }, 1);
  const spec = resources.get('container/blog/web')?.spec as Readonly<Record<string, unknown>>;
  const { sysctls, bandwidth, networks, ...before } = spec;
  expect([sysctls, bandwidth, networks]).toEqual([{}, null, null]);
  expect(diffSpecs('container', before, spec)).toEqual([]);
});

test('no field that an older version did not store is a change where it says nothing', () => {
  const spec = containerSchema.parse({ image: 'busybox' });
  for (const [field, value] of Object.entries(spec)) {
    const says = typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : value !== null;
    if (says) continue;
    const { [field as keyof typeof spec]: _absent, ...stored } = spec;
    expect(diffSpecs('container', stored, spec), field).toEqual([]);
    expect(diffSpecs('container', spec, stored), field).toEqual([]);
  }
});
