import { expect, test } from 'vitest';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { NO_PROBES, type ProbeSet, type ProbeSpec } from '../../../src/model/health.ts';
import { PROBE_DEFAULTS } from '../../../src/model/kinds/health-forms.ts';
import { HealthBook } from '../../../src/reconcile/health/health-book.ts';
import { type CheckResult, Prober, type ProberOptions } from '../../../src/reconcile/health/prober.ts';
import type { ContainerRecord } from '../../../src/state/containers/container-record.ts';
import { openHistory } from '../../../src/state/history/history.ts';
import { ManualTime, settled } from '../../support/manual-time.ts';

const tcp = (changes: Partial<ProbeSpec> = {}): ProbeSpec => ({
  check: { type: 'tcp', host: null, port: 80 },
  ...PROBE_DEFAULTS,
  ...changes,
});

/** Containers that run as long as they are in the map, probed by a check that the test answers. */
class Host {
  readonly time = new ManualTime();
  readonly history = openHistory(':memory:');
  readonly records = new Map<string, ContainerRecord>();
  readonly tries: { readonly name: string; readonly at: number }[] = [];
  readonly changes: string[] = [];
  /** Names of those whose payload is on its way out. */
  readonly ending = new Set<string>();
  answer: (name: string, signal: AbortSignal) => CheckResult | Promise<CheckResult> = () => ({ ok: true, output: '' });
  health = new HealthBook(this.history.health, new Set());

  run(name: string, health: Partial<ProbeSet>, run = 1): void {
    const owner = { key: `container/a/${name}`, written: { health: { ...NO_PROBES, ...health } } };
    const state = { status: 'running', startedAtBootMs: this.time.now().bootMs };
    this.records.set(name, { id: name, run, owner, state, imageId: '' } as unknown as ContainerRecord);
  }

  prober(): Prober {
    const { records, time } = this;
    const host = {
      health: this.health,
      containers: {
        all: () => [...records.values()],
        get: (id: string) => records.get(id),
        byKey: (key: string) => records.get(key.split('/')[2] ?? ''),
      },
      images: { get: () => undefined },
      exec: { running: (id: string) => (records.has(id) ? {} : null), ending: (id: string) => this.ending.has(id) },
    } as unknown as Pick<ProberOptions, 'health' | 'containers' | 'images' | 'exec'>;
    return new Prober({
      ...host,
      clock: time,
      timers: time,
      seed: 'seed',
      check: async ({ id }, _probe, signal) => {
        this.tries.push({ name: id, at: time.now().bootMs });
        return await this.answer(id, signal);
      },
      onChange: ({ containerId, before, after }) =>
        this.changes.push(`${containerId}: ${before.state} -> ${after.state}`),
      onProblem: (error, key) => this.changes.push(`${key}: ${error.message}`),
    });
  }

  /** Times of tries since the start, in ms. */
  times(name: string): number[] {
    return this.tries.filter((entry) => entry.name === name).map(({ at }) => at - 1_000_000);
  }
}

test('the first try starts at once, the next ones soon, then every interval ± 10 %', async () => {
  const host = new Host();
  host.run('web', { check: tcp({ intervalMs: 10_000, startPeriodMs: 3_000 }) });
  host.answer = () => ({ ok: host.time.now().bootMs >= 1_002_000, output: 'refused' });
  const prober = host.prober();
  prober.review(null);
  await settled();
  await host.time.advance(31_000);
  const [early, late] = [host.times('web').filter((at) => at < 3_000), host.times('web').filter((at) => at >= 3_000)];
  expect(early).toEqual([0, 50, 150, 350, 750, 1550, 2550]);
  expect(late).toHaveLength(2);
  const [first = 0, second = 0] = late;
  for (const wait of [first - 2550, second - first]) {
    expect(wait).toBeGreaterThan(8_999);
    expect(wait).toBeLessThan(11_001);
  }
  expect(host.changes).toEqual(['web: starting -> healthy']);
  prober.stop();
});

test('an initial delay is respected, and a running try is not repeated', async () => {
  const host = new Host();
  host.run('web', { check: tcp({ initialDelayMs: 700, intervalMs: 100 }) });
  host.answer = () => new Promise(() => {});
  const prober = host.prober();
  prober.review(null);
  await settled();
  await host.time.advance(60_000);
  expect(host.times('web')).toEqual([700]);
  prober.stop();
});

test('hanging probes delay others by a second at most', async () => {
  const host = new Host();
  const program = tcp({ check: { type: 'exec', argv: ['ask'] }, timeoutMs: 600_000 });
  for (let index = 0; index < 100; index++) host.run(`hung${index}`, { check: program });
  host.answer = (name) => (name === 'web' ? { ok: true, output: '' } : new Promise(() => {}));
  const prober = host.prober();
  prober.review(null);
  await host.time.advance(10_000);
  host.run('web', { check: program });
  prober.review(null);
  await host.time.advance(1_000);
  expect(host.changes).toEqual(['web: starting -> healthy']);
  expect(host.tries).toHaveLength(101);
  prober.stop();
});

test('the result of an ended run does not count for the next run', async () => {
  const host = new Host();
  host.run('web', { check: tcp() });
  let finish = (_: CheckResult) => {};
  const signals: AbortSignal[] = [];
  host.answer = (_name, signal) => {
    signals.push(signal);
    return new Promise((resolve) => {
      finish = resolve;
    });
  };
  const prober = host.prober();
  prober.review(null);
  await settled();
  await host.time.advance(10);
  const finishFirst = finish;
  host.run('web', { check: tcp() }, 2);
  prober.review(['container/a/web']);
  expect(signals[0]?.aborted).toBe(true);
  finishFirst({ ok: true, output: '' });
  await settled();
  expect(host.changes).toEqual([]);
  host.records.clear();
  prober.review(['container/a/web']);
  await host.time.advance(60_000);
  expect(host.times('web').length).toBeLessThanOrEqual(2);
  expect(host.time.pending).toBe(0);
});

test('a failure by the end of the run is not a probe failure', async () => {
  const host = new Host();
  host.run('web', { check: tcp({ retries: 1 }) });
  host.answer = () => ({ ok: false, output: 'refused' });
  host.ending.add('web');
  const prober = host.prober();
  prober.review(null);
  await settled();
  await host.time.advance(10);
  expect(host.times('web')).toEqual([0]);
  expect(host.changes).toEqual([]);
  host.ending.delete('web');
  await host.time.advance(60_000);
  expect(host.changes).toEqual(['web: starting -> unhealthy']);
  prober.stop();
});

test('a try that could not start is no failure, is reported and retried soon', async () => {
  const host = new Host();
  host.run('web', { check: tcp({ retries: 1, intervalMs: 30_000 }) });
  const untried = { untried: new TsdError('TSD_LOOKUP', 'look up /bin/true') };
  const answers: CheckResult[] = [{ ok: true, output: '' }, untried, untried, { ok: true, output: '' }];
  host.answer = () => answers.shift() ?? { ok: false, output: 'gone' };
  const prober = host.prober();
  prober.review(null);
  await settled();
  await host.time.advance(40_000);
  const [first = 0, second = 0, third = 0, fourth = 0, ...more] = host.times('web');
  expect([third - second, fourth - third]).toEqual([1_000, 1_000]);
  expect([first, more]).toEqual([0, []]);
  const report = 'container/a/web: look up /bin/true';
  expect(host.changes).toEqual(['web: starting -> healthy', report, report]);
  await host.time.advance(40_000);
  expect(host.changes.slice(3)).toEqual(['web: healthy -> unhealthy']);
  prober.stop();
});

test('the next supervisor knows earlier results and spreads its first tries', async () => {
  const host = new Host();
  const names = Array.from({ length: 100 }, (_, index) => `c${index}`);
  for (const name of names) host.run(name, { check: tcp() });
  const first = host.prober();
  first.review(null);
  await host.time.advance(20);
  first.stop();
  host.tries.length = 0;
  host.changes.length = 0;
  host.health = new HealthBook(host.history.health, new Set(names));
  const second = host.prober();
  second.review(null);
  await host.time.advance(6_000);
  expect(host.changes).toEqual([]);
  expect(new Set(host.tries.map(({ name }) => name)).size).toBe(100);
  expect(new Set(host.tries.map(({ at }) => Math.floor(at / 100))).size).toBeGreaterThan(30);
  second.stop();
});

test('readiness and liveness start when startup has passed', async () => {
  const host = new Host();
  host.run('web', { startup: tcp(), readiness: tcp(), liveness: tcp() });
  let tries = 0;
  host.answer = () => ({ ok: ++tries > 3, output: 'refused' });
  const prober = host.prober();
  prober.review(null);
  await settled();
  await host.time.advance(400);
  expect(host.times('web')).toEqual([0, 50, 150, 350, 350, 350]);
  expect(host.changes).toEqual(['web: starting -> healthy']);
  prober.stop();
});

test('results of removed containers are dropped', () => {
  const host = new Host();
  host.history.health.set('old', { run: 1 } as never);
  new HealthBook(host.history.health, new Set(['other']));
  expect(host.history.health.all()).toEqual([]);
});

test('probing continues when results cannot be stored', async () => {
  const host = new Host();
  const full = () => {
    throw new TsdError('TSD_DISK_FULL', 'disk full');
  };
  host.health = new HealthBook({ all: () => [], set: full, delete: full }, new Set());
  host.run('web', { check: tcp({ startPeriodMs: 3_000 }) });
  let tries = 0;
  host.answer = () => ({ ok: ++tries > 1, output: 'refused' });
  const prober = host.prober();
  prober.review(null);
  await settled();
  await host.time.advance(100);
  expect(host.changes).toContain('web: starting -> healthy');
  expect(host.changes).toContain('container/a/web: disk full');
  prober.stop();
});
