import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ERROR_CLASSES } from '../../../src/model/errors/error-class.ts';
import type { HealthState, ObservedHealth } from '../../../src/model/health.ts';
import { containerSchema } from '../../../src/model/kinds/container.ts';
import type { ObservedExit } from '../../../src/model/observed.ts';
import { retryDelay } from '../../../src/reconcile/plan/backoff.ts';
import type { RestartInput } from '../../../src/reconcile/plan/restart.ts';
import { decideRestart } from '../../../src/reconcile/plan/restart.ts';
import { declare } from '../../support/declare.ts';
import { hostWith, planOn, textOn } from '../../support/planning.ts';

const END = 1_000_000;

function ended(exit: Partial<ObservedExit>, rest: Partial<RestartInput> = {}) {
  return decideRestart({
    policy: { policy: 'always', max: 0, backoff: null },
    exit: { code: 1, oomKilled: false, finishedAtWallMs: 0, finishedAtBootMs: END, ranForMs: 10, ...exit },
    counters: { restarts: 0, consecutive: 0 },
    containerId: 'c1',
    health: null,
    dependencyUpAtBootMs: null,
    now: { wallMs: 0, bootMs: END },
    seed: 's',
    ...rest,
  });
}

const always = { policy: 'always', max: 0, backoff: null } as const;
const unlessStopped = { policy: 'unless-stopped', max: 0, backoff: null } as const;
const no = { policy: 'no', max: 0, backoff: null } as const;
const onFailure = (max: number) => ({ policy: 'on-failure', max, backoff: null }) as const;

describe('which ends are followed by a start', () => {
  test.each([
    { policy: no, code: 1, next: 'finished' },
    { policy: no, code: null, next: 'finished' },
    { policy: always, code: 1, next: 'start' },
    { policy: always, code: 0, next: 'wait' },
    { policy: always, code: null, next: 'start' },
    { policy: unlessStopped, code: 137, next: 'start' },
    { policy: onFailure(0), code: 0, next: 'finished' },
    { policy: onFailure(0), code: 1, next: 'start' },
    { policy: onFailure(0), code: null, next: 'start' },
  ])('$policy.policy after $code: $next', ({ policy, code, next }) => {
    expect(ended({ code }, { policy }).next).toBe(next);
  });

  test('on-failure:3 restarts three times', () => {
    const afterRun = (restarts: number) => ended({}, { policy: onFailure(3), counters: { restarts, consecutive: 0 } });
    expect([0, 1, 2, 3].map((restarts) => afterRun(restarts).next)).toEqual(['start', 'start', 'start', 'exhausted']);
    expect(afterRun(3)).toMatchObject({ message: 'exited with 1, all 3 restarts used' });
  });

  test('an OOM kill is named as the reason', () => {
    expect(ended({ code: 137, oomKilled: true }).message).toBe('exited with 137 (out of memory), restart 1');
  });
});

/** Wait in ms after the nth quick failure in a row. */
function waitAfter(consecutive: number): number {
  const decision = ended({}, { counters: { restarts: consecutive, consecutive } });
  return decision.next === 'wait' ? decision.untilBootMs - END : 0;
}

const health = (state: HealthState, firstReadyAtBootMs: number | null): ObservedHealth => ({
  state,
  ready: state === 'healthy',
  message: 'liveness probe failed 3 times: HTTP 503',
  firstReadyAtBootMs,
  readySinceBootMs: null,
  results: [],
});

describe('with probes', () => {
  test.each([
    [always, 0, 'start'],
    [onFailure(0), 0, 'start'],
    [onFailure(0), 143, 'start'],
    [no, 143, 'finished'],
  ] as const)('an unhealthy run is a failure, whatever its exit: %o with %i', (policy, code, next) => {
    expect(ended({ code }, { policy, health: health('unhealthy', null) }).next).toBe(next);
  });

  test('the reason replaces the exit code, which is ours', () => {
    expect(ended({ code: 143 }, { health: health('unhealthy', 1) })).toMatchObject({
      message: 'unhealthy: liveness probe failed 3 times: HTTP 503, restart 1',
    });
  });

  test.each([
    ['never ready, however long it ran', null, 6],
    ['ready for less than a minute', END - 59_999, 6],
    ['ready a minute before', END - 60_000, 1],
  ])('%s: consecutive failures become %i', (_, firstReadyAtBootMs, consecutive) => {
    const now = { wallMs: 0, bootMs: END + 600_000 };
    const counters = { restarts: 9, consecutive: 5 };
    const decision = ended({ ranForMs: 900_000 }, { now, counters, health: health('unready', firstReadyAtBootMs) });
    expect(decision).toMatchObject({ next: 'start', counters: { consecutive } });
  });
});

describe('backoff', () => {
  test('starts at once, then after 500 ms doubled with ± 20 %, at most a minute', () => {
    expect(waitAfter(0)).toBe(0);
    const nominal = [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000];
    nominal.forEach((delay, index) => {
      expect(waitAfter(index + 1)).toBeGreaterThanOrEqual(delay * 0.8);
      expect(waitAfter(index + 1)).toBeLessThanOrEqual(Math.min(60_000, delay * 1.2));
    });
  });

  test('does not depend on the time of the query', () => {
    const counters = { restarts: 4, consecutive: 4 };
    const waits = [0, 100, 2000].map((later) => ended({}, { counters, now: { wallMs: 0, bootMs: END + later } }));
    expect(new Set(waits.map((wait) => (wait.next === 'wait' ? wait.untilBootMs : 'due'))).size).toBe(1);
  });

  test('spreads containers that end together', () => {
    const counters = { restarts: 3, consecutive: 3 };
    const waits = Array.from({ length: 50 }, (_, index) => {
      const decision = ended({}, { counters, containerId: `c${index}` });
      return decision.next === 'wait' ? decision.untilBootMs : 0;
    });
    expect(new Set(waits).size).toBeGreaterThan(40);
  });

  test('keeps the failure count in the new run', () => {
    const now = { wallMs: 0, bootMs: END + 120_000 };
    expect(ended({}, { now, counters: { restarts: 6, consecutive: 2 } })).toMatchObject({
      next: 'start',
      counters: { restarts: 7, consecutive: 3 },
    });
  });

  test.each([
    ['a run of ten seconds', ended({ ranForMs: 10_000 }, { counters: { restarts: 9, consecutive: 9 } })],
    ['a reboot', ended({ finishedAtBootMs: null }, { counters: { restarts: 9, consecutive: 9 } })],
    [
      'a dependency that came back',
      ended({}, { counters: { restarts: 9, consecutive: 9 }, dependencyUpAtBootMs: END + 1 }),
    ],
  ])('%s resets the failure count', (_, decision) => {
    expect(decision).toMatchObject({ next: 'start', counters: { restarts: 10, consecutive: 1 } });
  });

  test('waits one second after exit 0 under always, however often', () => {
    const decision = ended({ code: 0 }, { counters: { restarts: 50, consecutive: 7 } });
    expect(decision).toMatchObject({ next: 'wait', untilBootMs: END + 1000 });
  });
});

describe('presets', () => {
  const spec = (written: unknown) =>
    containerSchema.parse({ image: 'x', restart: { policy: 'always', backoff: written } }).restart;
  const waits = (written: unknown, code = 1) =>
    Array.from({ length: 8 }, (_, consecutive) => {
      const decision = ended({ code }, { policy: spec(written), counters: { restarts: 9, consecutive } });
      return decision.next === 'wait' ? decision.untilBootMs - END : 0;
    });

  test.each([
    ['docker', 1, [100, 200, 400, 800, 1600, 3200, 6400, 12_800]],
    ['docker', 0, [100, 200, 400, 800, 1600, 3200, 6400, 12_800]],
    ['kubelet', 1, [0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000]],
    [{ preset: 'kubelet', initial: '1s', max: '1m' }, 1, [0, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000]],
    [
      { preset: 'docker', initial: '1s', factor: 3, max: '10s' },
      1,
      [1000, 3000, 9000, 10_000, 10_000, 10_000, 10_000, 10_000],
    ],
    [{ preset: 'docker', initial: '5m' }, 1, Array.from({ length: 8 }, () => 300_000)],
  ])('%o after %i', (written, code, expected) => expect(waits(written, code)).toEqual(expected));

  test.each([
    ['docker', 9_999, 6],
    ['docker', 10_000, 1],
    ['kubelet', 599_999, 6],
    ['kubelet', 600_000, 1],
    [{ preset: 'kubelet', max: '1m' }, 120_000, 1],
    [{ resetAfter: '3s' }, 3_000, 1],
    [{ resetAfter: '3s' }, 2_999, 6],
  ])('%o: a run of %i ms makes %i consecutive failures', (written, ranForMs, consecutive) => {
    const now = { wallMs: 0, bootMs: END + 3_600_000 };
    const decision = ended({ ranForMs }, { policy: spec(written), now, counters: { restarts: 9, consecutive: 5 } });
    expect(decision).toMatchObject({ counters: { consecutive } });
  });

  test('a foreign preset counts the length of the run, also with probes', () => {
    const now = { wallMs: 0, bootMs: END + 3_600_000 };
    const counters = { restarts: 9, consecutive: 5 };
    const decision = ended(
      { ranForMs: 10_000 },
      { policy: spec('docker'), now, counters, health: health('unready', null) },
    );
    expect(decision).toMatchObject({ counters: { consecutive: 1 } });
  });

  test.each([
    ['dockerd', /expected tsdocker, docker, kubelet/],
    [{ initial: '2m', max: '1m' }, /initial is above max/],
    [{ factor: 0.5 }, />=1/],
    [{ max: '2h' }, /at most 1h/],
  ])('%o is refused', (written, message) => expect(() => spec(written)).toThrow(message));
});

describe('ops that failed', () => {
  test('the class decides the curve', () => {
    const table = ERROR_CLASSES.map((name) => {
      const delays = [1, 2, 3, 20].map((attempts) => retryDelay(name, attempts, 'k'));
      return `${name}: ${delays.map((delay) => (delay === null ? 'never' : `~${delay}`)).join(' ')}`;
    });
    expect(table.join('\n')).toMatchInlineSnapshot(`
      "invalid: never never never never
      unsupported: never never never never
      not-found: ~0 ~510 ~1147 ~60000
      already-exists: ~0 ~510 ~1147 ~60000
      conflict: ~447 ~1019 ~2293 ~60000
      precondition: ~447 ~1019 ~2293 ~60000
      unavailable: ~447 ~1019 ~2293 ~60000
      exhausted: ~447 ~1019 ~2293 ~60000
      timeout: ~447 ~1019 ~2293 ~60000
      denied: ~26834 ~61165 ~137590 ~600000
      data-loss: never never never never
      bug: never never never never"
    `);
  });

  test('a delay is never negative or beyond the cap and its jitter', () => {
    return fc.assert(
      fc.property(
        fc.constantFrom(...ERROR_CLASSES),
        fc.integer({ min: 1, max: 2000 }),
        fc.string(),
        (name, attempts, seed) => {
          const delay = retryDelay(name, attempts, seed);
          expect(delay === null || (delay >= 0 && delay <= 600_000)).toBe(true);
        },
      ),
    );
  });
});

describe('in plans', () => {
  const apps = {
    blog: { containers: { web: { restart: 'always' }, side: { network: 'container:web', restart: 'always' } } },
  };
  const desired = declare(apps);

  test('a killed process restarts at once, in its namespace and with its counters', () => {
    const host = hostWith(apps);
    host.exit('container/blog/web', 137, 60_000);
    const plan = planOn(host, desired);
    expect(textOn(host, desired)).toMatchInlineSnapshot(
      `"start container/blog/web — exited with 137 (SIGKILL), restart 1"`,
    );
    expect(plan.ops[0]).toMatchObject({ op: 'container.start', run: 2, restarts: 1, consecutive: 1 });
  });

  test('a fast crasher waits', () => {
    const host = hostWith(apps);
    host.exit('container/blog/web', 1);
    host.applyAll(planOn(host, desired).ops, desired);
    host.exit('container/blog/web', 1);
    const { ops, holds } = planOn(host, desired);
    expect(ops).toEqual([]);
    expect(holds).toMatchObject([{ key: 'container/blog/web', reason: 'backing-off' }]);
    host.bootMs = holds[0]?.untilBootMs ?? 0;
    expect(planOn(host, desired).ops).toMatchObject([{ op: 'container.start', run: 3, restarts: 2, consecutive: 2 }]);
  });

  test('a waiting container releases its host ports, and its next start publishes them again', () => {
    const web = {
      blog: {
        containers: {
          web: { ports: ['8080:80'], restart: 'always' },
          side: { network: 'container:web', restart: 'no' },
        },
      },
    };
    const host = hostWith(web);
    const published = declare(web);
    host.exit('container/blog/web', 1);
    expect(textOn(host, published)).toMatchInlineSnapshot(`"start container/blog/web — exited with 1, restart 1"`);
    host.applyAll(planOn(host, published).ops, published);
    host.exit('container/blog/web', 1);
    // While another run lives in its namespace they lead there.
    expect(planOn(host, published).ops).toEqual([]);
    host.exit('container/blog/side', 0);
    const { ops, holds } = planOn(host, published, { scope: new Set(['container/blog/side']) });
    expect(ops).toMatchObject([{ op: 'container.withdraw', key: 'container/blog/web' }]);
    host.applyAll(ops, published);
    expect(planOn(host, published).ops).toEqual([]);
    host.bootMs = holds.find(({ key }) => key === 'container/blog/web')?.untilBootMs ?? 0;
    expect(textOn(host, published)).toMatchInlineSnapshot(`
      "connect container/blog/web — exited with 1, restart 2
      start container/blog/web — exited with 1, restart 2
      hold container/blog/side — finished: exited with 0, restart policy no"
    `);
  });

  test('a container with an unusable manifest or a failed start releases them too', () => {
    const web = { blog: { containers: { web: { ports: ['8080:80'] } } } };
    const host = hostWith(web);
    const published = declare(web);
    host.exit('container/blog/web', 1);
    host.failures.set('container/blog/web', {
      op: 'container.start',
      class: 'unavailable',
      message: 'no',
      specHash: published.resources.get('container/blog/web')?.specHash ?? '',
      attempts: 1,
      retryAtBootMs: host.bootMs + 500,
    });
    expect(planOn(host, published).ops).toMatchObject([{ op: 'container.withdraw' }]);
    const unusable = { ...published, resources: new Map(), untouched: new Map([['blog', 'blog.yaml']]) };
    expect(planOn(host, unusable as unknown as typeof published).ops).toMatchObject([{ op: 'container.withdraw' }]);
  });

  test('a finished container releases its endpoint, unless another one shares it', () => {
    const once = { blog: { containers: { job: {}, pod: {}, side: { network: 'container:pod' } } } };
    const host = hostWith(once);
    host.exit('container/blog/job', 0);
    host.exit('container/blog/pod', 0);
    expect(textOn(host, declare(once))).toMatchInlineSnapshot(`
      "disconnect container/blog/job — exited with 0, restart policy no
      hold container/blog/job — finished: exited with 0, restart policy no
      hold container/blog/pod — finished: exited with 0, restart policy no"
    `);
  });

  test('a created container that never started is started', () => {
    const host = hostWith(apps);
    host.change('container/blog/side', { running: false, run: 0 });
    expect(textOn(host, desired)).toMatchInlineSnapshot(`"start container/blog/side — declared in blog.yaml:2:3"`);
  });

  test('a failed start is still due, regardless of the policy for the earlier run', () => {
    const once = { blog: { containers: { job: { network: 'none' } } } };
    const host = hostWith(once);
    host.exit('container/blog/job', 0);
    const startError = { class: 'unavailable', message: 'the supervisor ended meanwhile' };
    host.change('container/blog/job', { startError, run: 2, restarts: { restarts: 1, consecutive: 1 } });
    expect(textOn(host, declare(once))).toBe('start container/blog/job — start failed: the supervisor ended meanwhile');
    expect(planOn(host, declare(once)).ops).toMatchObject([{ run: 3, restarts: 1, consecutive: 1 }]);
  });

  describe('a start that fails because of its container', () => {
    const MISSING = { class: 'precondition', message: 'no-such-command is not in the image' };
    const KEY = 'container/blog/web';
    const counted = (policy: string) => ({
      blog: { images: { app: './app.tar' }, containers: { web: { image: 'app', restart: policy, network: 'none' } } },
    });
    /** As a failed start leaves it. */
    const failed = (policy: string, restarts: number) => {
      const host = hostWith(counted(policy));
      const counters = { restarts, consecutive: 0 };
      host.change(KEY, { running: false, exit: null, startError: MISSING, run: 1 + restarts, restarts: counters });
      return host;
    };

    test('counts as a restart where the policy has a limit', () => {
      const policy = 'on-failure:2';
      expect(planOn(failed(policy, 0), declare(counted(policy))).ops).toMatchObject([{ run: 2, restarts: 1 }]);
      expect(planOn(failed(policy, 1), declare(counted(policy))).ops).toMatchObject([{ run: 3, restarts: 2 }]);
      const used = planOn(failed(policy, 2), declare(counted(policy)));
      expect(used.ops.filter(({ op }) => op === 'container.start')).toEqual([]);
      expect(used.holds).toMatchObject([{ reason: 'failed', message: expect.stringContaining('all 2 restarts used') }]);
    });

    test('does not count without a limit, nor for a failure of the host', () => {
      for (const policy of ['on-failure', 'always', 'no']) {
        expect(planOn(failed(policy, 5), declare(counted(policy))).ops).toMatchObject([{ restarts: 5 }]);
      }
      const host = failed('on-failure:2', 2);
      host.change(KEY, { startError: { class: 'unavailable', message: 'the supervisor ended meanwhile' } });
      expect(planOn(host, declare(counted('on-failure:2'))).ops).toMatchObject([{ restarts: 2 }]);
    });

    test('does not delay a container of another image', () => {
      const desired = declare(counted('always'));
      const { specHash } = desired.resources.get(KEY) ?? { specHash: '' };
      const host = failed('always', 0);
      const failure = { class: MISSING.class, specHash, attempts: 9, retryAtBootMs: host.bootMs + 60_000 };
      host.failures.set(KEY, { ...failure, op: 'container.start', message: MISSING.message });
      expect(textOn(host, desired)).toContain('hold container/blog/web — backing-off');
      const image = host.images.get('image/blog/app');
      if (image) host.images.set(image.key, { ...image, imageId: 'mended' });
      expect(textOn(host, desired)).toContain('start container/blog/web — its image was loaded again');
      expect([...planOn(host, desired).forgiven]).toEqual([KEY]);
      // What failed on the way there is not tried again at once.
      host.failures.set(KEY, { ...failure, op: 'container.remove', message: MISSING.message });
      expect(textOn(host, desired)).toContain('hold container/blog/web — backing-off');
      expect([...planOn(host, desired).forgiven]).toEqual([]);
    });
  });

  test('is a failure without restarts left, until the spec changes', () => {
    const counted = (policy: string) => ({ blog: { containers: { web: { restart: policy, network: 'none' } } } });
    const host = hostWith(counted('on-failure:1'));
    host.exit('container/blog/web', 2);
    host.applyAll(planOn(host, declare(counted('on-failure:1'))).ops, declare(counted('on-failure:1')));
    host.exit('container/blog/web', 2);
    host.change('container/blog/web', { sandbox: false });
    expect(textOn(host, declare(counted('on-failure:1')))).toMatchInlineSnapshot(
      `"hold container/blog/web — failed: exited with 2, all 1 restarts used"`,
    );
    expect(textOn(host, declare(counted('on-failure:2'), 2))).toMatchInlineSnapshot(`
      "update container/blog/web in place — restart.max changed in blog.yaml:1:3
      connect container/blog/web — exited with 2, restart 1
      start container/blog/web — exited with 2, restart 1"
    `);
  });
});
