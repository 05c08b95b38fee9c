import { describe, expect, test } from 'vitest';
import type { DesiredState } from '../../../src/model/desired.ts';
import { SETTLE_MS } from '../../../src/model/kinds/update-forms.ts';
import { declare } from '../../support/declare.ts';
import { formatPlan } from '../../support/format-plan.ts';
import { hostWith, planOn, textOn } from '../../support/planning.ts';
import type { PureHost } from '../../support/pure-host.ts';

const WEB = 'container/blog/web';
const NEXT = 'container/blog/web.next';
const OLD = 'container/blog/web.old';

const app = (mode: string, update: object, more: object = {}, image = './app.tar') => ({
  blog: {
    images: { app: image },
    containers: { web: { env: { MODE: mode }, ports: ['8080:80'], restart: 'always', update, ...more } },
  },
});

const stopFirst = (mode: string, more: object = {}) => declare(app(mode, { timeout: '30s' }, more), 2);
const START_FIRST = { order: 'start-first', timeout: '30s', drain: '5s' };
const startFirst = (mode: string, more: object = {}) => declare(app(mode, { ...START_FIRST, ...more }), 2);

/** Carries out what is planned, once. */
function step(host: PureHost, desired: DesiredState): string {
  const plan = planOn(host, desired);
  host.applyAll(plan.ops, desired);
  return formatPlan(plan);
}

/** What is planned when it has ended twice soon after a start. */
function afterQuickEnds(host: PureHost, desired: DesiredState) {
  host.exit(WEB, 1, 10);
  step(host, desired);
  host.exit(WEB, 1, 10);
  return planOn(host, desired);
}

describe('stop-first', () => {
  const changed = () => {
    const host = hostWith(app('one', { timeout: '30s' }));
    step(host, stopFirst('two'));
    return host;
  };

  test('an update ends after a changed container has run for a while', () => {
    const host = changed();
    expect(textOn(host, stopFirst('two'))).toMatchInlineSnapshot(
      `"hold container/blog/web — updating: it was changed and has to prove itself"`,
    );
    host.bootMs += SETTLE_MS;
    expect(step(host, stopFirst('two'))).toMatchInlineSnapshot(
      `"settle-update container/blog/web — update done: it has been running for 1.0 s"`,
    );
    expect(textOn(host, stopFirst('two'))).toBe('nothing to do');
    expect(host.updates.size).toBe(0);
  });

  test('an early exit fails the update and rolls the app back, once', () => {
    const host = changed();
    host.bootMs += 300;
    host.exit(WEB, 1, 300);
    expect(step(host, stopFirst('two'))).toMatchInlineSnapshot(
      `"fail-update container/blog/web — update failed: exited with 1 after 0.3 s"`,
    );
    expect(host.rolledBack).toEqual([`${WEB} exited with 1 after 0.3 s`]);
    const back: DesiredState = {
      ...declare(app('one', { timeout: '30s' }), 3),
      heldBack: new Map([['blog', { reason: 'update of blog/web failed', failed: true, generation: 1 }]]),
    };
    expect(step(host, back)).toMatchInlineSnapshot(
      `"start container/blog/web — rolled back to generation 1: env.MODE"`,
    );
    expect(step(host, back)).toMatchInlineSnapshot(`"settle-update container/blog/web — update given up"`);
    expect(textOn(host, back)).toBe('nothing to do');
  });

  test('exit code 0 completes a job and fails a server', () => {
    const once = { restart: 'on-failure' };
    const host = hostWith(app('one', { timeout: '30s' }, once));
    step(host, stopFirst('two', once));
    host.exit(WEB, 0, 300);
    expect(step(host, stopFirst('two', once))).toContain(
      'settle-update container/blog/web — update done: it completed: exited with 0',
    );
    const server = changed();
    server.exit(WEB, 0, 300);
    expect(step(server, stopFirst('two'))).toContain('update failed: exited with 0 after 0.3 s');
  });

  test('an unknown exit decides nothing, and without readiness the update times out', () => {
    const host = changed();
    host.exit(WEB, null, 300);
    expect(textOn(host, stopFirst('two'))).toContain('start container/blog/web');
    host.bootMs += 30_000;
    expect(textOn(host, stopFirst('two'))).toContain(
      'fail-update container/blog/web — update failed: not ready within 30.0 s',
    );
  });

  test('a timeout has the reason of the last probe', () => {
    const host = changed();
    host.change(WEB, {
      health: {
        state: 'starting',
        ready: false,
        message: 'health check failed 4 times: exit 1: db down',
        firstReadyAtBootMs: null,
        readySinceBootMs: null,
        results: [],
      },
    });
    host.bootMs += 30_000;
    const reason = 'not ready within 30.0 s: health check failed 4 times: exit 1: db down';
    expect(step(host, stopFirst('two'))).toContain(`update failed: ${reason}`);
    expect(host.rolledBack).toEqual([`${WEB} ${reason}`]);
  });

  test('a creation error fails the update, at once when it is permanent', () => {
    const host = hostWith(app('one', { timeout: '30s' }));
    const next = stopFirst('two');
    const [stop] = planOn(host, next).ops;
    if (stop) host.apply(stop, next);
    const specHash = next.resources.get(WEB)?.specHash ?? '';
    const failure = { message: 'no such program', specHash, attempts: 1 };
    host.failures.set(WEB, { ...failure, class: 'unavailable', retryAtBootMs: host.bootMs + 500 });
    expect(textOn(host, next)).toContain('backing-off');
    host.failures.set(WEB, { ...failure, class: 'invalid', retryAtBootMs: null });
    expect(textOn(host, next)).toContain('fail-update container/blog/web — update failed: no such program');
  });

  test('hold: no rollback, and the restart policy applies', () => {
    const hold = (mode: string) => declare(app(mode, { onFailure: 'hold' }), 2);
    const host = hostWith(app('one', { onFailure: 'hold' }));
    step(host, hold('two'));
    host.exit(WEB, 1, 300);
    step(host, hold('two'));
    expect(host.rolledBack).toEqual([]);
    expect(host.updates.get(WEB)).toMatchObject({ failure: 'exited with 1 after 0.3 s', final: true });
    expect(textOn(host, hold('two'))).toContain('start container/blog/web — exited with 1, restart 1');
  });

  test('a manual stop ends the test of the update', () => {
    const host = changed();
    host.change(WEB, { stopOverride: true });
    expect(step(host, stopFirst('two'))).toContain('stop container/blog/web — stop requested');
    const texts = [step(host, stopFirst('two')), step(host, stopFirst('two'))].join('\n');
    expect(texts).toContain('settle-update container/blog/web — update given up');
    expect(texts).not.toContain('fail-update');
  });

  test('a third spec during the test keeps the first one as the good one', () => {
    const host = changed();
    const good = host.updates.get(WEB)?.from;
    step(host, stopFirst('three'));
    expect(host.updates.get(WEB)).toMatchObject({ from: good });
  });

  test('a container that did not run is not tested', () => {
    const host = hostWith(app('one', {}));
    host.exit(WEB, 1);
    step(host, stopFirst('two'));
    expect(host.updates.size).toBe(0);
  });
});

describe('start-first', () => {
  /** Until the successor runs. */
  const begun = (more: object = {}) => {
    const host = hostWith(app('one', { ...START_FIRST, ...more }));
    step(host, startFirst('two', more));
    return host;
  };
  const cutOver = () => {
    const host = begun();
    host.bootMs += SETTLE_MS;
    step(host, startFirst('two'));
    return host;
  };

  test('the successor starts in parallel, takes over when ready, and the old one drains', () => {
    const host = hostWith(app('one', START_FIRST));
    const before = host.container(WEB);
    expect(step(host, startFirst('two'))).toMatchInlineSnapshot(`
      "create container/blog/web.next — env.MODE changed in blog.yaml:2:3
      connect container/blog/web.next — env.MODE changed in blog.yaml:2:3
      start container/blog/web.next — env.MODE changed in blog.yaml:2:3
      hold container/blog/web — updating: blog-web.next takes over when it is ready"
    `);
    expect(host.container(WEB)).toEqual(before);
    expect(step(host, startFirst('two'))).toMatchInlineSnapshot(
      `"hold container/blog/web — updating: blog-web.next takes over when it is ready"`,
    );
    const successor = host.container(NEXT);
    host.bootMs += SETTLE_MS;
    expect(step(host, startFirst('two'))).toMatchInlineSnapshot(
      `"cutover container/blog/web — its successor is ready"`,
    );
    expect(host.container(WEB)).toMatchObject({ id: successor.id, running: true });
    expect(host.container(OLD)).toMatchObject({ id: before.id, running: true });
    expect(step(host, startFirst('two'))).toMatchInlineSnapshot(
      `"hold container/blog/web — updating: connections of its predecessor end"`,
    );
    host.bootMs += 5_000;
    expect(step(host, startFirst('two'))).toMatchInlineSnapshot(`"settle-update container/blog/web — update done"`);
    expect(step(host, startFirst('two'))).toMatchInlineSnapshot(`
      "stop container/blog/web.old — its successor took over
      disconnect container/blog/web.old — its successor took over
      remove container/blog/web.old — its successor took over"
    `);
    expect(textOn(host, startFirst('two'))).toBe('nothing to do');
    expect([...host.containers.keys()]).toEqual([WEB]);
  });

  test('a successor that ends before it is ready is removed, and the old one keeps running', () => {
    const host = begun();
    const before = host.container(WEB);
    host.exit(NEXT, 1, 100);
    expect(step(host, startFirst('two'))).toMatchInlineSnapshot(
      `"fail-update container/blog/web — update failed: exited with 1 after 0.1 s"`,
    );
    expect(host.rolledBack).toEqual([`${WEB} exited with 1 after 0.1 s`]);
    const back: DesiredState = {
      ...startFirst('one'),
      generation: 3,
      heldBack: new Map([['blog', { reason: 'failed', failed: true }]]),
    };
    expect(step(host, back)).toMatchInlineSnapshot(`
      "settle-update container/blog/web — update given up
      disconnect container/blog/web.next — its update is over
      remove container/blog/web.next — its update is over"
    `);
    step(host, back);
    expect(textOn(host, back)).toBe('nothing to do');
    expect(host.container(WEB)).toEqual(before);
  });

  test('an old one that becomes unhealthy is stopped, and failures of that count for its own spec', () => {
    const health = { health: { tcp: 80, startPeriod: '0s' } };
    const host = hostWith(app('one', START_FIRST, health));
    const before = host.container(WEB);
    const wanted = declare(app('two', START_FIRST, health), 2);
    step(host, wanted);
    for (let n = 0; n < 3; n++) host.probe(WEB, 'check', false);
    const { ops } = planOn(host, wanted);
    expect(ops).toMatchObject([{ op: 'container.stop', key: WEB, asMade: before.specHash }]);
  });

  test('an old one that ends restarts with its own spec', () => {
    const host = begun();
    const before = host.container(WEB);
    host.exit(WEB, 1, 60_000);
    const wanted = startFirst('two');
    const plan = planOn(host, wanted);
    expect(formatPlan(plan)).toMatchInlineSnapshot(`
      "start container/blog/web — exited with 1, restart 1
      hold container/blog/web — updating: blog-web.next takes over when it is ready"
    `);
    expect(plan.ops).toMatchObject([{ op: 'container.start', asMade: before.specHash, run: 2 }]);
    host.applyAll(plan.ops, wanted);
    expect(host.container(WEB)).toMatchObject({ id: before.id, running: true, specHash: before.specHash });
    // Quick ends are waited for as its policy says, and the update continues beside.
    const { ops, holds } = afterQuickEnds(host, wanted);
    expect(ops).toEqual([]);
    expect(holds).toMatchObject([{ key: WEB, reason: 'backing-off' }]);
    expect(holds[0]?.untilBootMs).toBeLessThanOrEqual(host.bootMs + SETTLE_MS);
    host.bootMs += SETTLE_MS;
    expect(step(host, wanted)).toContain('cutover container/blog/web');
  });

  test('an old one also restarts during the creation of its successor and on request', () => {
    const host = begun();
    host.exit(WEB, 1, 60_000);
    const busy = new Set([NEXT] as const);
    expect(textOn(host, startFirst('two'), { busy })).toMatchInlineSnapshot(`
      "start container/blog/web — exited with 1, restart 1
      hold container/blog/web — updating: blog-web.next is being made ready"
    `);
    host.applyAll(planOn(host, startFirst('two'), { busy }).ops, startFirst('two'));
    host.change(WEB, { restartRequested: true });
    expect(textOn(host, startFirst('two'))).toMatchInlineSnapshot(`
      "stop container/blog/web — restart requested
      start container/blog/web — restart requested
      hold container/blog/web — updating: blog-web.next takes over when it is ready"
    `);
  });

  test('a manual rollback is an ordinary update', () => {
    const host = hostWith(app('one', START_FIRST));
    const back = (failed: boolean): DesiredState => ({
      ...startFirst('zero'),
      heldBack: new Map([['blog', { reason: 'rolled back', failed }]]),
    });
    expect(textOn(host, back(false))).toContain('start container/blog/web.next');
    expect(textOn(host, back(true))).toContain('stop container/blog/web');
  });

  test('hold: the old one restarts with its own spec when it ends', () => {
    const host = begun({ onFailure: 'hold' });
    const wanted = startFirst('two', { onFailure: 'hold' });
    host.exit(NEXT, 1, 100);
    step(host, wanted);
    step(host, wanted);
    const before = host.container(WEB);
    host.exit(WEB, 1, 60_000);
    expect(planOn(host, wanted).ops).toMatchObject([{ op: 'container.start', asMade: before.specHash }]);
    step(host, wanted);
    expect(host.container(WEB)).toMatchObject({ id: before.id, running: true, specHash: before.specHash });
    expect(textOn(host, wanted)).toContain('waits for another spec');
  });

  test('hold: the old one keeps running and the spec is not retried', () => {
    const host = begun({ onFailure: 'hold' });
    host.exit(NEXT, 1, 100);
    step(host, startFirst('two', { onFailure: 'hold' }));
    step(host, startFirst('two', { onFailure: 'hold' }));
    expect(textOn(host, startFirst('two', { onFailure: 'hold' }))).toMatchInlineSnapshot(
      `"hold container/blog/web — failed: update failed: exited with 1 after 0.1 s; waits for another spec"`,
    );
    expect([...host.containers.keys()]).toEqual([WEB]);
    expect(step(host, startFirst('three', { onFailure: 'hold' }))).toContain('start container/blog/web.next');
  });

  test('a successor that fails while the old one drains returns names, address and ports', () => {
    const host = cutOver();
    const [failed, old] = [host.container(WEB), host.container(OLD)];
    host.exit(WEB, 1, 2_500);
    expect(step(host, startFirst('two'))).toMatchInlineSnapshot(
      `"cutover container/blog/web — its successor failed: exited with 1 after 2.5 s"`,
    );
    expect(host.container(WEB).id).toBe(old.id);
    expect(host.container(NEXT).id).toBe(failed.id);
    expect(step(host, startFirst('two'))).toContain('fail-update container/blog/web');
    expect(host.rolledBack).toEqual([`${WEB} exited with 1 after 2.5 s`]);
  });

  test('an edit that reverts the change removes only the successor', () => {
    const host = begun();
    const before = host.container(WEB);
    expect(step(host, startFirst('one'))).toMatchInlineSnapshot(`
      "settle-update container/blog/web — update given up
      stop container/blog/web.next — its update is over
      disconnect container/blog/web.next — its update is over
      remove container/blog/web.next — its update is over"
    `);
    step(host, startFirst('one'));
    expect(textOn(host, startFirst('one'))).toBe('nothing to do');
    expect(host.container(WEB)).toEqual(before);
  });

  test('a third spec changes the successor only', () => {
    const host = begun();
    expect(step(host, startFirst('three'))).toMatchInlineSnapshot(`
      "stop container/blog/web.next — env.MODE changed in blog.yaml:2:3
      start container/blog/web.next — env.MODE changed in blog.yaml:2:3
      hold container/blog/web — updating: blog-web.next takes over when it is ready"
    `);
    expect(host.updates.get(WEB)?.to.specHash).toBe(startFirst('three').resources.get(WEB)?.specHash);
    host.bootMs += SETTLE_MS;
    expect(step(host, startFirst('three'))).toContain('cutover container/blog/web');
  });

  test('an edit while the old one drains starts a further successor', () => {
    const host = cutOver();
    const serving = host.container(WEB);
    expect(step(host, startFirst('three'))).toContain('remove container/blog/web.old');
    expect(host.container(WEB)).toEqual(serving);
    expect(step(host, startFirst('three'))).toContain('start container/blog/web.next');
    expect(host.container(WEB)).toEqual(serving);
    expect(host.updates.get(WEB)?.from.specHash).toBe(serving.specHash);
    host.exit(NEXT, 1, 100);
    expect(step(host, startFirst('three'))).toContain('fail-update container/blog/web');
    expect(host.container(WEB)).toEqual(serving);
  });

  test('a removed manifest removes both', () => {
    const host = begun();
    const text = step(host, declare({ blog: {} }, 3));
    expect(text).toContain('stop container/blog/web — no longer declared');
    expect(text).toContain('stop container/blog/web.next — no longer declared');
    expect(host.containers.size).toBe(0);
  });

  test('a cut-over that was interrupted between the two records is completed', () => {
    const host = begun();
    const old = host.container(WEB);
    host.containers.delete(WEB);
    host.containers.set(OLD, { ...old, key: OLD });
    host.bootMs += SETTLE_MS;
    expect(step(host, startFirst('two'))).toContain('cutover container/blog/web — its successor is ready');
    expect(host.container(WEB)).toMatchObject({ running: true });
  });

  test('a cut-over without its record is recorded, without a third container', () => {
    const host = cutOver();
    const successor = host.container(WEB);
    const update = host.updates.get(WEB);
    if (update) host.updates.set(WEB, { ...update, cutOverAtBootMs: null });
    expect(step(host, startFirst('two'))).toBe('cutover container/blog/web — its successor is ready');
    expect(host.container(WEB).id).toBe(successor.id);
    expect(host.updates.get(WEB)?.cutOverAtBootMs).toBe(host.bootMs);
    expect([...host.containers.keys()].sort()).toEqual([WEB, OLD]);
  });

  test.each([WEB, OLD] as const)('a rollback that was interrupted with the predecessor as %s is completed', (as) => {
    const host = cutOver();
    const old = host.container(OLD);
    host.exit(WEB, 1, 2_500);
    const failed = host.container(WEB);
    host.containers.clear();
    host.containers.set(NEXT, { ...failed, key: NEXT });
    host.containers.set(as, { ...old, key: as });
    expect(step(host, startFirst('two'))).toBe(
      'cutover container/blog/web — its successor failed: exited with 1 after 2.5 s',
    );
    expect(host.container(WEB)).toMatchObject({ id: old.id, running: true });
    expect(step(host, startFirst('two'))).toContain('fail-update container/blog/web');
    expect(host.rolledBack).toEqual([`${WEB} exited with 1 after 2.5 s`]);
  });

  test('another image is an ordinary change', () => {
    const host = hostWith(app('one', START_FIRST));
    const next = declare(app('one', START_FIRST, {}, './other.tar'), 2);
    step(host, next);
    expect(step(host, next)).toContain(
      'create container/blog/web.next — its image was loaded again with other content',
    );
  });

  test('an obstacle for the successor is reported on the container, and nothing starts', () => {
    const host = hostWith(app('one', START_FIRST));
    host.obstacles.set(WEB, 'bind source /x does not exist');
    expect(textOn(host, startFirst('two'))).toMatchInlineSnapshot(
      `"hold container/blog/web — unavailable: bind source /x does not exist"`,
    );
  });

  test('a stopped container is changed in place', () => {
    const host = hostWith(app('one', START_FIRST));
    host.exit(WEB, 1);
    expect(textOn(host, startFirst('two'))).not.toContain('.next');
  });
});

describe.each(['stop-first', 'start-first'])('while a change waits (%s)', (order) => {
  const parked = () => {
    const host = hostWith(app('one', { order }));
    host.obstacles.set(WEB, 'port 8080 is in use');
    return host;
  };
  const wanted = declare(app('two', { order }), 2);

  test('the container keeps running', () => {
    expect(textOn(parked(), wanted)).toBe('hold container/blog/web — unavailable: port 8080 is in use');
  });

  test('a container that ends restarts with its own spec, by its policy', () => {
    const host = parked();
    const before = host.container(WEB);
    host.exit(WEB, 1, 60_000);
    expect(step(host, wanted)).toMatchInlineSnapshot(`
      "start container/blog/web — exited with 1, restart 1
      hold container/blog/web — unavailable: port 8080 is in use"
    `);
    expect(host.container(WEB)).toMatchObject({ id: before.id, running: true, specHash: before.specHash });
    const { ops, holds } = afterQuickEnds(host, wanted);
    expect(ops).toEqual([]);
    expect(holds).toMatchObject([{ key: WEB, reason: 'backing-off' }]);
  });

  test('a predecessor that lost its network gets it back', () => {
    const host = parked();
    host.change(WEB, { drift: ['veth missing'] });
    expect(planOn(host, wanted).ops).toMatchObject([{ op: 'container.connect', asMade: host.container(WEB).specHash }]);
  });

  test('a completed container does not restart', () => {
    const done = hostWith(app('one', { order }, { restart: 'no' }));
    done.obstacles.set(WEB, 'port 8080 is in use');
    done.exit(WEB, 0, 60_000);
    expect(textOn(done, wanted)).not.toContain('start container');
  });

  test('an unhealthy container is stopped, and a failed stop is not retried at once', () => {
    const health = { exec: ['probe'], retries: 1, startPeriod: '0s' };
    const host = hostWith(app('one', { order }, { health }));
    const next = declare(app('two', { order }, { health }), 2);
    host.obstacles.set(WEB, 'port 8080 is in use');
    host.probe(WEB, 'check', false);
    const { specHash } = host.container(WEB);
    expect(planOn(host, next).ops).toMatchObject([{ op: 'container.stop', asMade: specHash }]);
    host.failures.set(WEB, { class: 'invalid', message: 'no', specHash, attempts: 1, retryAtBootMs: null });
    expect(planOn(host, next).ops).toEqual([]);
  });

  test('the change applies as soon as possible', () => {
    const host = parked();
    host.exit(WEB, 1, 60_000);
    step(host, wanted);
    host.obstacles.clear();
    expect(textOn(host, wanted)).toContain(
      `start container/blog/web${order === 'start-first' ? '.next' : ''} — env.MODE`,
    );
  });
});

test('a container is not recreated while a possible successor is being created', () => {
  const host = hostWith(app('one', START_FIRST));
  const before = host.container(WEB);
  host.exit(WEB, 1, 60_000);
  const { ops } = planOn(host, startFirst('two'), { busy: new Set([NEXT] as const) });
  expect(ops).toMatchObject([{ op: 'container.start', asMade: before.specHash }]);
});

test('an update without its predecessor ends, and its container is created normally', () => {
  const host = hostWith(app('one', START_FIRST));
  step(host, startFirst('two'));
  host.containers.delete(WEB);
  expect(step(host, startFirst('two'))).toContain('settle-update container/blog/web');
  expect(host.containers.has(NEXT)).toBe(false);
  expect(step(host, startFirst('two'))).toContain('create container/blog/web ');
});

test('an ended container does not reclaim a port that another one declares', () => {
  const host = hostWith(app('one', {}));
  host.obstacles.set(WEB, 'no such bind source');
  host.exit(WEB, 1, 60_000);
  const other = { db: { ports: ['8080:80'] } };
  const blog = app('two', {}, { ports: [] }).blog;
  const wanted = declare({ blog: { ...blog, containers: { ...blog.containers, ...other } } }, 2);
  expect(textOn(host, wanted)).not.toContain('start container/blog/web ');
});
