import { describe, expect, test } from 'vitest';
import { NO_PROBES, type ProbeName, type ProbeSet, type ProbeSpec } from '../../../src/model/health.ts';
import { PROBE_DEFAULTS } from '../../../src/model/kinds/health-forms.ts';
import { healthOf, isActive, recordOfRun, withResult } from '../../../src/reconcile/health/verdict.ts';

const probe = (changes: Partial<ProbeSpec> = {}): ProbeSpec => ({
  check: { type: 'tcp', host: null, port: 80 },
  ...PROBE_DEFAULTS,
  startPeriodMs: 0,
  ...changes,
});
const set = (probes: Partial<ProbeSet>): ProbeSet => ({ ...NO_PROBES, ...probes });

/**
 * Tries one after the other, a second apart: `c+` is a check that succeeds, `l-` a liveness probe that fails. Tells what
 * the container is after each.
 */
function course(probes: ProbeSet, tries: string): string {
  const names: Readonly<Record<string, ProbeName>> = { c: 'check', s: 'startup', r: 'readiness', l: 'liveness' };
  let record = recordOfRun(undefined, probes, 1);
  return tries
    .split(' ')
    .map((letters, index) => {
      const name = names[letters[0] ?? ''] ?? 'check';
      const ok = letters[1] === '+';
      const at = 1000 * (index + 1);
      record = withResult(record, probes, { probe: name, atWallMs: at, ok, ms: 1, output: 'refused' }, at, at);
      return healthOf(record, probes, 1).state;
    })
    .join(' ');
}

describe('probe results', () => {
  test.each<[string, ProbeSet, string, string]>([
    ['one success is enough', set({ check: probe() }), 'c- c+', 'starting healthy'],
    [
      'a few failures do not count',
      set({ check: probe() }),
      'c+ c- c- c+ c- c-',
      'healthy healthy healthy healthy healthy healthy',
    ],
    ['three in a row do', set({ check: probe() }), 'c+ c- c- c-', 'healthy healthy healthy unhealthy'],
    ['also before the first success', set({ check: probe() }), 'c- c- c-', 'starting starting unhealthy'],
    [
      'but not in the start period',
      set({ check: probe({ startPeriodMs: 3500 }) }),
      'c- c- c- c- c- c-',
      'starting starting starting starting starting unhealthy',
    ],
    [
      'which ends with the first success',
      set({ check: probe({ startPeriodMs: 60_000, retries: 1 }) }),
      'c- c+ c-',
      'starting healthy unhealthy',
    ],
    [
      'successes can be asked for',
      set({ check: probe({ successes: 2 }) }),
      'c+ c- c+ c+',
      'starting starting starting healthy',
    ],
    [
      'readiness alone never asks for a restart',
      set({ readiness: probe({ retries: 2 }) }),
      'r- r- r+ r- r- r+',
      'starting unready healthy healthy unready healthy',
    ],
    [
      'liveness alone says nothing about readiness',
      set({ liveness: probe({ retries: 2 }) }),
      'l- l- l+',
      'healthy unhealthy healthy',
    ],
    ['startup comes first', set({ startup: probe(), readiness: probe() }), 's- s+ r+', 'starting starting healthy'],
    ['and its failure is final', set({ startup: probe({ retries: 1 }), readiness: probe() }), 's-', 'unhealthy'],
  ])('%s', (_, probes, tries, expected) => expect(course(probes, tries)).toBe(expected));

  test('make a container with only a liveness probe ready as soon as it runs', () => {
    expect(healthOf(undefined, set({ liveness: probe() }), 1)).toMatchObject({ state: 'healthy', ready: true });
  });

  test('delay other probes until startup has passed, once', () => {
    const probes = set({ startup: probe(), readiness: probe(), liveness: probe() });
    const active = (record: ReturnType<typeof recordOfRun>) =>
      (['startup', 'readiness', 'liveness', 'check'] as const).filter((name) => isActive(record, probes, name));
    const before = recordOfRun(undefined, probes, 1);
    expect(active(before)).toEqual(['startup']);
    const passed = withResult(before, probes, { probe: 'startup', atWallMs: 1, ok: true, ms: 1, output: '' }, 1, 1);
    expect(active(passed)).toEqual(['readiness', 'liveness']);
  });

  test('are kept five deep, and the message names the latest failure', () => {
    const probes = set({ check: probe() });
    let record = recordOfRun(undefined, probes, 1);
    for (let n = 1; n <= 7; n++) {
      record = withResult(
        record,
        probes,
        { probe: 'check', atWallMs: n, ok: false, ms: 1, output: `code ${n}\nmore` },
        n,
        n,
      );
    }
    const health = healthOf(record, probes, 1);
    expect(health.results.map(({ output }) => output)).toEqual([3, 4, 5, 6, 7].map((n) => `code ${n}\nmore`));
    expect(health.message).toBe('health check failed 7 times: code 7');
  });

  test('keep the first time of readiness and restart the current one', () => {
    const probes = set({ readiness: probe({ retries: 1 }) });
    let record = recordOfRun(undefined, probes, 1);
    for (const [at, ok] of [
      [10, true],
      [20, false],
      [30, true],
      [40, true],
    ] as const) {
      record = withResult(record, probes, { probe: 'readiness', atWallMs: at, ok, ms: 1, output: '' }, at, at);
    }
    expect(healthOf(record, probes, 1)).toMatchObject({ firstReadyAtBootMs: 10, readySinceBootMs: 30 });
  });

  test('are reset by another run or other probes', () => {
    const probes = set({ check: probe() });
    const record = withResult(
      recordOfRun(undefined, probes, 1),
      probes,
      { probe: 'check', atWallMs: 1, ok: true, ms: 1, output: '' },
      1,
      1,
    );
    expect(healthOf(record, probes, 1).state).toBe('healthy');
    expect(healthOf(record, probes, 2).state).toBe('starting');
    expect(healthOf(record, set({ check: probe({ retries: 9 }) }), 1).state).toBe('starting');
  });
});
