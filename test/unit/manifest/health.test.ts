import { describe, expect, test } from 'vitest';
import { parseManifest } from '../../../src/manifest/parse.ts';
import type { ContainerSpec } from '../../../src/model/kinds/container.ts';

function read(health: string) {
  const text = `containers:\n  web:\n    image: x\n    health: ${health}\n`;
  const { app, issues } = parseManifest({ text, file: 'a.yaml', appDefault: 'a' });
  return {
    health: (app?.resources[0]?.spec as ContainerSpec | undefined)?.health,
    issues: issues.map(({ message, position }) => `${position.line}:${position.column} ${message}`),
  };
}

describe('a health field', () => {
  test('accepts one check, with defaults', () => {
    expect(read('{ exec: [pg_isready], interval: 5s }').health).toEqual({
      startup: null,
      readiness: null,
      liveness: null,
      check: {
        check: { type: 'exec', argv: ['pg_isready'] },
        intervalMs: 5000,
        timeoutMs: 5000,
        retries: 3,
        successes: 1,
        initialDelayMs: 0,
        startPeriodMs: 30_000,
        startIntervalMs: 1000,
      },
    });
  });

  test.each([
    ['{ exec: pg_isready || exit 1 }', { type: 'exec', argv: ['/bin/sh', '-c', 'pg_isready || exit 1'] }],
    ['{ exec: [test, 010, yes] }', { type: 'exec', argv: ['test', '010', 'yes'] }],
    ['{ tcp: 5432 }', { type: 'tcp', host: null, port: 5432 }],
    ['{ tcp: { port: 53, host: localhost } }', { type: 'tcp', host: '127.0.0.1', port: 53 }],
    ['{ http: 80 }', { type: 'http', scheme: 'http', host: null, port: 80, path: '/', headers: {} }],
    ['{ http: 80/a?b=1 }', { type: 'http', scheme: 'http', host: null, port: 80, path: '/a?b=1', headers: {} }],
    [
      '{ http: { port: 443, scheme: https, path: /up, host: "::1", headers: { X-A: 1 } } }',
      { type: 'http', scheme: 'https', host: '::1', port: 443, path: '/up', headers: { 'X-A': '1' } },
    ],
  ])('%s', (written, check) => {
    expect(read(written)).toMatchObject({ health: { check: { check } }, issues: [] });
  });

  test('accepts probes for each purpose', () => {
    const { health, issues } = read(
      '{ startup: { tcp: 1, retries: 30 }, readiness: { http: 80/ready, successes: 2 }, liveness: { exec: [live], timeout: 500ms } }',
    );
    expect(issues).toEqual([]);
    expect(health).toMatchObject({
      check: null,
      startup: { retries: 30 },
      readiness: { successes: 2 },
      liveness: { timeoutMs: 500 },
    });
  });

  test('accepts none and absence', () => {
    expect(read('none').health).toBe('none');
    expect(
      parseManifest({ text: 'containers: { w: { image: x } }', file: 'a.yaml', appDefault: 'a' }).app?.resources[0]
        ?.spec,
    ).toMatchObject({ health: null });
  });
});

test.each([
  ['{}', ['4:13 health: a probe needs one of exec, http and tcp']],
  ['{ interval: 5s }', ['4:13 health: a probe needs one of exec, http and tcp']],
  ['{ tcp: 1, http: 2 }', ['4:13 health: http and tcp: a probe is one of them']],
  ['{ tcp: 70000 }', ['4:20 health.tcp: "70000" is not a port']],
  ['{ http: nowhere }', ['4:21 health.http: "nowhere" is not a port with a path; write for example 8080/healthz']],
  ['{ tcp: 1, interval: soon }', ['4:33 health.interval: "soon" is not a duration; write for example 30s or 1m30s']],
  ['{ tcp: 1, interval: 0s }', ['4:33 health.interval: expected at least 10ms']],
  ['{ tcp: 1, retries: 0 }', ['4:32 health.retries: "0" is not a count from 1 to 1000']],
  ['{ exec: [] }', ['4:21 health.exec: cannot be empty']],
  ['{ tcp: { port: 1, host: db } }', ['4:37 health.tcp.host: expected an IP address or localhost']],
  [
    '{ liveness: { tcp: 1 }, interval: 5s }',
    ['4:47 health.interval: belongs under startup, readiness or liveness where these are used'],
  ],
  ['{ livenes: { tcp: 1 }, tcp: 2 }', ['4:15 unknown field "livenes" in health; did you mean liveness?']],
  ['{ readiness: { tpc: 1, tcp: 1 } }', ['4:28 unknown field "tpc" in health.readiness; did you mean tcp?']],
  ['always', ['4:13 health: expected none, or a mapping with exec, http or tcp']],
])('%s is refused', (written, issues) => expect(read(written).issues).toEqual(issues));
