import { expect, test } from 'vitest';
import { imageHealthcheck } from '../../../src/images/healthcheck.ts';

const read = (config: unknown) => imageHealthcheck({}, JSON.stringify({ config }));
const argvOf = (config: unknown) => {
  const check = read(config)?.check?.check;
  return check?.type === 'exec' ? check.argv : null;
};

test.each<[string, unknown, readonly string[] | null]>([
  ['nothing', {}, null],
  ['NONE', { Healthcheck: { Test: ['NONE'] } }, null],
  ['an empty test', { Healthcheck: { Test: [] } }, null],
  ['CMD without a program', { Healthcheck: { Test: ['CMD'] } }, null],
  ['CMD', { Healthcheck: { Test: ['CMD', 'pg_isready', '-q'] } }, ['pg_isready', '-q']],
  ['CMD-SHELL', { Healthcheck: { Test: ['CMD-SHELL', 'a || b'] } }, ['/bin/sh', '-c', 'a || b']],
  [
    "the image's shell",
    { Shell: ['/bin/bash', '-lc'], Healthcheck: { Test: ['CMD-SHELL', 'a'] } },
    ['/bin/bash', '-lc', 'a'],
  ],
  ['another form', { Healthcheck: 'curl' }, null],
])('%s', (_, config, argv) => expect(argvOf(config)).toEqual(argv));

test("durations are nanoseconds, and 0 or absence means Docker's default", () => {
  const Test = ['CMD', 'x'];
  expect(read({ Healthcheck: { Test } })?.check).toMatchObject({
    intervalMs: 30_000,
    timeoutMs: 30_000,
    startPeriodMs: 30_000,
    startIntervalMs: 5_000,
    retries: 3,
  });
  const written = { Test, Interval: 5e9, Timeout: 2.5e8, StartPeriod: 6e10, StartInterval: 1e9, Retries: 7 };
  expect(read({ Healthcheck: written })?.check).toMatchObject({
    intervalMs: 5000,
    timeoutMs: 250,
    startPeriodMs: 60_000,
    startIntervalMs: 1000,
    retries: 7,
  });
});

test('invalid JSON has none', () => expect(imageHealthcheck({}, '{')).toBeNull());
