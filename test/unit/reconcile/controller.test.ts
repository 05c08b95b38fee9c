import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TsdError } from '../../../src/model/errors/errors.ts';
import type { OpFailure } from '../../../src/model/observed.ts';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { nextKey } from '../../../src/model/update.ts';
import { RetryTracker } from '../../../src/reconcile/loop/retry-tracker.ts';
import { declare } from '../../support/declare.ts';
import { settled } from '../../support/manual-time.ts';
import { Simulation } from '../../support/simulation.ts';

const WEB: ResourceKey = 'container/blog/web';
const DB: ResourceKey = 'container/blog/db';
const PAIR = { blog: { containers: { db: { restart: 'always' }, web: { restart: 'always', links: ['db'] } } } };

let sim: Simulation;
beforeEach(() => {
  sim = new Simulation();
});
afterEach(async () => {
  await sim.controller.stop();
  expect(sim.time.pending).toBe(0);
});

test('declared containers start and are reconciled until nothing is left to do', async () => {
  await sim.declare(PAIR);
  await sim.wait(50);
  expect([...sim.host.containers.values()].map(({ key, running }) => [key, running])).toEqual([
    [DB, true],
    [WEB, true],
  ]);
  expect(sim.reports.at(-1)?.plan.ops).toEqual([]);
  expect(sim.controller.busy.size).toBe(0);
});

test('a first crash restarts at once, the next one after a wait that the hold shows', async () => {
  await sim.declare(PAIR);
  sim.done.length = 0;
  await sim.exit(DB, 1);
  expect(sim.done).toEqual([`start ${DB}`]);
  await sim.exit(DB, 1);
  expect(sim.done).toHaveLength(1);
  const hold = sim.controller.hold(DB);
  expect(hold?.reason).toBe('backing-off');
  await sim.time.advance((hold?.untilBootMs ?? 0) - sim.time.now().bootMs - 1);
  expect(sim.done).toHaveLength(1);
  await sim.time.advance(1);
  await sim.controller.settled();
  expect(sim.done).toEqual([`start ${DB}`, `start ${DB}`]);
  expect(sim.controller.hold(DB)).toBeUndefined();
});

test('a waiting dependent starts when its dependency runs', async () => {
  let broken = true;
  sim.beforeOp = (op) => {
    if (broken && op.id === `start ${DB}`) throw new TsdError('TSD_BIND_SOURCE', '/srv/db is missing');
  };
  await sim.declare(PAIR);
  expect(sim.host.failures.get(DB)).toMatchObject({ class: 'precondition', attempts: 1 });
  await sim.wait(20);
  expect([sim.controller.hold(DB)?.reason, sim.controller.hold(WEB)?.reason]).toEqual([
    'backing-off',
    'dependency-not-ready',
  ]);
  broken = false;
  await sim.wait(600);
  expect(sim.host.container(WEB).running).toBe(true);
  expect(sim.host.failures.size).toBe(0);
});

test('full passes keep the failure of a successor', async () => {
  const update = { order: 'start-first', timeout: '600s' };
  const app = (mode: string) => ({ blog: { containers: { web: { env: { MODE: mode }, update } } } });
  await sim.declare(app('one'));
  await sim.wait(60_000);
  let tries = 0;
  sim.beforeOp = ({ id }) => {
    if (id !== `create ${nextKey(WEB)}`) return;
    tries++;
    throw new TsdError('TSD_NETWORK', 'no bridge', { class: 'unavailable' });
  };
  await sim.declare(app('two'));
  for (let looks = 0; looks < 15; looks++) {
    await sim.wait(10_000);
    sim.controller.resync();
    await sim.controller.settled();
  }
  expect(sim.host.failures.get(nextKey(WEB))?.attempts).toBe(tries);
  expect(tries).toBeLessThan(15);
});

test('a repeated failure backs off, and is retried at once when the spec changes', async () => {
  sim.beforeOp = (op) => {
    if (op.op === 'container.start') throw new TsdError('TSD_BIND_SOURCE', 'missing');
  };
  await sim.declare({ blog: { containers: { web: {} } } });
  await sim.wait(30_000);
  const attempts = sim.host.failures.get(WEB)?.attempts ?? 0;
  expect(attempts).toBeGreaterThan(4);
  expect(attempts).toBeLessThan(9);
  sim.beforeOp = () => {};
  await sim.declare({ blog: { containers: { web: { env: { A: '1' } } } } });
  expect(sim.host.container(WEB).running).toBe(true);
});

test('failures count from zero after a change of spec or image', async () => {
  let message = '/bin/one is not there';
  sim.beforeOp = (op) => {
    if (op.op !== 'container.start') return;
    sim.host.change(WEB, { startError: { class: 'precondition', message } });
    throw new TsdError('TSD_COMMAND_NOT_FOUND', message);
  };
  const web = (env: Record<string, string>) => ({
    blog: { images: { app: './app.tar' }, containers: { web: { image: 'app', env } } },
  });
  const attempts = () => sim.host.failures.get(WEB)?.attempts;
  await sim.declare(web({}));
  await sim.wait(30_000);
  expect(attempts()).toBeGreaterThan(4);
  await sim.declare(web({ A: '1' }));
  expect(attempts()).toBe(1);
  await sim.wait(30_000);
  expect(attempts()).toBeGreaterThan(4);
  message = '/bin/two is not there';
  const image = sim.host.images.get('image/blog/app');
  if (image) sim.host.images.set(image.key, { ...image, imageId: 'mended' });
  sim.controller.enqueue(['image/blog/app', WEB]);
  await sim.wait(10);
  expect(sim.host.failures.get(WEB)).toMatchObject({ attempts: 1, message: expect.stringContaining('/bin/two') });
});

test('a failed removal of a container with another image backs off, whatever its message', async () => {
  const message = 'cannot write to the disk';
  let started = false;
  sim.beforeOp = (op) => {
    if (op.op === 'container.start') sim.host.change(WEB, { startError: { class: 'unavailable', message } });
    else if (op.op !== 'container.remove') return;
    else started = true;
    throw new TsdError('TSD_SYSCALL', message);
  };
  await sim.declare({ blog: { images: { app: './app.tar' }, containers: { web: { image: 'app' } } } });
  const image = sim.host.images.get('image/blog/app');
  if (image) sim.host.images.set(image.key, { ...image, imageId: 'mended' });
  sim.controller.enqueue(['image/blog/app', WEB]);
  await sim.wait(30_000);
  expect(started).toBe(true);
  const attempts = sim.host.failures.get(WEB)?.attempts ?? 0;
  expect(attempts).toBeGreaterThan(4);
  expect(attempts).toBeLessThan(12);
});

test('other keys proceed while an op runs', async () => {
  let release = () => {};
  sim.beforeOp = (op) => (op.key === DB ? new Promise((resolve) => (release = resolve)) : undefined);
  const apps = { blog: { containers: { db: {} } } };
  const slow = sim.declare(apps);
  await settled();
  await settled();
  expect(sim.controller.inFlight(DB)?.op).toBe('container.create');
  const both = sim.declare({ ...apps, shop: { containers: { till: {} } } });
  for (let turns = 0; turns < 20; turns++) await settled();
  expect(sim.host.container('container/shop/till').running).toBe(true);
  sim.beforeOp = () => {};
  release();
  await Promise.all([slow, both]);
  expect(sim.host.container(DB).running).toBe(true);
  expect(sim.controller.inFlight(DB)).toBeUndefined();
});

test('the next op of a container is reported between two ops', async () => {
  await sim.declare(PAIR);
  let release = () => {};
  sim.beforeOp = ({ id }) => (id === `create ${DB}` ? new Promise((resolve) => (release = resolve)) : undefined);
  const changed = sim.declare({
    blog: {
      containers: {
        db: { restart: 'always', privileged: true },
        web: { ...PAIR.blog.containers.web, env: { A: '1' } },
      },
    },
  });
  for (let turns = 0; turns < 50; turns++) await settled();
  expect(sim.controller.inFlight(DB)?.op).toBe('container.create');
  expect(sim.controller.inFlight(WEB)?.op).toBe('container.start');
  sim.beforeOp = () => {};
  release();
  await changed;
  expect(sim.controller.inFlight(WEB)).toBeUndefined();
});

test('nothing is observed before the start', async () => {
  const early = new Simulation({ started: false });
  await early.declare(PAIR);
  early.controller.enqueue([DB]);
  await early.controller.settled();
  expect(early.reports).toEqual([]);
  early.controller.start();
  await early.wait(50);
  expect(early.host.container(WEB).running).toBe(true);
  await early.controller.stop();
});

test('a start that is repeatedly too early leaves time for its dependency', async () => {
  sim.tooEarly = ({ op }) => (op === 'container.start' ? 'it waits' : null);
  await sim.declare({ blog: { containers: { web: {} } } });
  await sim.wait(200);
  expect(sim.host.container(WEB).running).toBe(false);
  sim.tooEarly = () => null;
  await sim.wait(50);
  expect(sim.host.container(WEB).running).toBe(true);
});

test('a dependent of such a start does not requeue it at once', async () => {
  sim.tooEarly = ({ op }) => (op === 'container.start' ? 'it waits' : null);
  const db = { health: { exec: ['probe'] } };
  await sim.declare({ blog: { containers: { db, web: { links: ['db'] } } } });
  await sim.wait(200);
  expect(sim.controller.hold(WEB)).toMatchObject({ reason: 'dependency-not-ready' });
  sim.tooEarly = () => null;
  await sim.wait(50);
  expect(sim.host.container(DB).running).toBe(true);
});

test('a cancelled op of that kind is not requeued at once', async () => {
  let tries = 0;
  sim.beforeOp = ({ op, key }) => {
    if (op !== 'container.start' || key !== DB || tries === 100) return;
    tries += 1;
    throw new TsdError('TSD_CALLED_OFF', 'not now');
  };
  const db = { health: { exec: ['probe'] } };
  await sim.declare({ blog: { containers: { db, web: { links: ['db'] } } } });
  await sim.wait(200);
  expect(sim.controller.hold(WEB)).toMatchObject({ reason: 'dependency-not-ready' });
  expect(tries).toBeGreaterThan(1);
  expect(tries).toBeLessThan(20);
});

test('a failed update that cannot be recorded is not retried at once', async () => {
  const web = (mode: string) => ({ blog: { containers: { web: { env: { MODE: mode }, restart: 'always' } } } });
  await sim.declare(web('one'));
  await sim.declare(web('two'));
  let tries = 0;
  sim.beforeOp = ({ op }) => {
    if (op !== 'container.fail-update') return;
    tries += 1;
    throw new TsdError('TSD_BUG', 'no');
  };
  await sim.exit(WEB, 1);
  await sim.wait(5_000);
  expect(tries).toBeGreaterThan(1);
  expect(tries).toBeLessThan(8);
});

test('many keys at once are one pass', async () => {
  await sim.declare(PAIR);
  const before = sim.reports.length;
  sim.controller.enqueue([DB]);
  sim.controller.enqueue([WEB, DB]);
  await sim.controller.settled();
  expect(sim.reports.length).toBe(before + 1);
});

test('events of a key during an op are handled after the op', async () => {
  await sim.declare({ blog: { containers: { db: { restart: 'always' } } } });
  sim.done.length = 0;
  let again = true;
  const apply = sim.host.apply.bind(sim.host);
  sim.host.apply = (op, desired) => {
    apply(op, desired);
    if (op.id !== `start ${DB}` || !again) return;
    again = false;
    sim.host.exit(DB, 1, 60_000);
    sim.controller.enqueue([DB]);
  };
  await sim.exit(DB, 1);
  await sim.controller.settled();
  expect(sim.done).toEqual([`start ${DB}`, `start ${DB}`]);
  expect(sim.host.container(DB)).toMatchObject({ running: true, run: 3 });
});

test('a periodic full pass finds drift without an event', async () => {
  sim.controller.start();
  await sim.declare(PAIR);
  sim.host.change(WEB, { drift: ['veth missing'] });
  await sim.wait(60_000);
  expect(sim.host.container(WEB).drift).toEqual([]);
});

test('an op without effect is not repeated in a loop', async () => {
  await sim.declare({ blog: { containers: { web: {} } } });
  sim.done.length = 0;
  sim.beforeOp = () => {
    sim.beforeOp = () => {};
  };
  const apply = sim.host.change.bind(sim.host);
  sim.host.change = (key, change) => apply(key, change.drift ? { ...change, drift: ['veth missing'] } : change);
  apply(WEB, { drift: ['veth missing'] });
  sim.controller.enqueue([WEB]);
  await sim.wait(200);
  expect(sim.done).toEqual([`connect ${WEB}`, `connect ${WEB}`]);
  expect(sim.controller.hold(WEB)).toMatchObject({
    reason: 'backing-off',
    message: `connect ${WEB} ${sim.host.container(WEB).id}: no effect`,
  });
});

describe('defects', () => {
  test('a key that cannot be planned is parked alone until its spec changes', async () => {
    const apps = (labels: Record<string, string>) => ({
      blog: { containers: { web: { labels } } },
      shop: { containers: { till: {}, desk: {} } },
    });
    await sim.declare(apps({}));
    sim.host.change(WEB, {
      specHash: 'torn',
      spec: new Proxy(
        {},
        {
          ownKeys: () => {
            throw new TypeError('torn spec');
          },
        },
      ),
    });
    sim.host.exit('container/shop/till', 0);
    sim.host.change('container/shop/desk', { drift: ['veth missing'] });
    sim.controller.resync();
    await sim.controller.settled();
    expect(sim.controller.hold(WEB)).toMatchObject({ reason: 'failed', message: 'defect in tsdocker: torn spec' });
    expect(sim.host.container('container/shop/desk').drift).toEqual([]);
    expect(sim.defects.at(-1)?.keys).toEqual([WEB]);

    const passes = sim.defects.length;
    sim.controller.resync();
    await sim.controller.settled();
    expect(sim.defects.length).toBe(passes);
    sim.host.containers.delete(WEB);
    await sim.declare(apps({ a: '1' }));
    expect(sim.host.container(WEB).running).toBe(true);
  });

  test('a key with a defect is retried after a long time', async () => {
    await sim.declare({ blog: { containers: { web: {} } } });
    let broken = true;
    const trap = new Proxy(sim.host.container(WEB).spec as object, {
      ownKeys: (target) => {
        if (broken) throw new TypeError('torn spec');
        return Reflect.ownKeys(target);
      },
    });
    sim.host.change(WEB, { specHash: 'torn', spec: trap, drift: ['veth missing'] });
    sim.controller.resync();
    await sim.controller.settled();
    expect(sim.controller.hold(WEB)?.message).toBe('defect in tsdocker: torn spec');
    broken = false;
    await sim.wait(600_000);
    expect(sim.controller.hold(WEB)).toBeUndefined();
    expect(sim.host.container(WEB).drift).toEqual([]);
  });

  test('a failed observe is retried later and parks nothing', async () => {
    let blind = true;
    sim.beforeObserve = () => {
      if (blind) throw new TsdError('TSD_SYSCALL', 'netlink: ENOBUFS');
    };
    await sim.declare(PAIR);
    expect(sim.host.containers.size).toBe(0);
    blind = false;
    await sim.wait(700);
    expect(sim.host.container(WEB).running).toBe(true);
  });
});

test('the load of an image that is no longer declared is cancelled and records no failure', async () => {
  const app = (image: string) => ({ blog: { images: { app: image }, containers: { web: {} } } });
  sim.beforeOp = (op, signal) =>
    op.op !== 'image.load' || sim.desired.generation > 2
      ? undefined
      : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
  void sim.declare(app('./one.tar'));
  while (!sim.controller.inFlight('image/blog/app')) await settled();
  await sim.declare(app('./two.tar'));
  await sim.wait(100);
  expect(sim.host.container(WEB).running).toBe(true);
  expect(sim.host.failures.size).toBe(0);
});

test('stop lets running ops end and starts none', async () => {
  const held: (() => void)[] = [];
  sim.beforeOp = () => new Promise((resolve) => held.push(resolve));
  void sim.declare(PAIR);
  while (held.length < 2) await settled();
  const stopped = sim.controller.stop();
  for (const release of held) release();
  await stopped;
  expect(sim.done).toEqual([`create ${DB}`, `create ${WEB}`]);
  expect(sim.host.failures.size).toBe(0);
});

test('stop waits for the look that is under way, and nothing is planned from it', async () => {
  let release = () => {};
  sim.beforeObserve = () => new Promise((resolve) => (release = resolve));
  sim.desired = declare(PAIR, sim.desired.generation + 1);
  sim.controller.resync();
  await settled();
  const passes = sim.reports.length;
  let isStopped = false;
  const stopped = sim.controller.stop().then(() => (isStopped = true));
  await settled();
  expect(isStopped).toBe(false);
  release();
  await stopped;
  expect(sim.reports).toHaveLength(passes);
  expect(sim.done).toEqual([]);
});

test('an op whose declaration changed before its start is skipped, and the new one runs', async () => {
  await sim.declare({ blog: { images: { app: './a.tar' }, containers: { db: {} } } });
  let edit = () => {
    edit = () => {};
    sim.desired = declare({ blog: { images: { app: './b.tar' } } }, sim.desired.generation + 1);
    sim.controller.enqueue([DB]);
  };
  sim.beforeOp = (op) => {
    if (op.id === 'load image/blog/app') edit();
  };
  sim.done.length = 0;
  await sim.declare({ blog: { images: { app: './b.tar' }, containers: { db: {}, web: {} } } });
  await sim.wait(50);
  expect(sim.done).not.toContain(`create ${WEB}`);
  expect([...sim.host.containers.keys()]).toEqual([]);
  expect(sim.host.failures.size).toBe(0);
});

test('a failure that cannot be recorded does not stop the loop', async () => {
  let attempts = 0;
  sim.beforeOp = (op) => {
    if (op.id === `start ${DB}` && attempts++ === 0) throw new TsdError('TSD_TIMEOUT', 'too slow');
  };
  sim.failuresUnwritable = true;
  await sim.declare(PAIR);
  await sim.wait(1_000);
  expect(sim.host.container(WEB).running).toBe(true);
  expect(sim.defects.map(({ error }) => error.code)).toContain('TSD_DISK_FULL');
});

test('a failing observer of a pass does not end the loop', async () => {
  sim.onReport = ({ results }) => {
    if (results.length > 0) throw new Error('cannot be told');
  };
  await sim.declare(PAIR);
  await sim.wait(50);
  expect([...sim.host.containers.values()].every(({ running }) => running)).toBe(true);
  expect(sim.defects.map(({ error }) => error.message)).toContain('cannot be told');
});

test('the failure of a removed orphan is cleared', async () => {
  await sim.declare(PAIR);
  sim.host.orphans = [{ type: 'snapshot', id: 'ab12' }];
  sim.beforeOp = (op) => {
    if (op.op === 'orphan.remove') throw new TsdError('TSD_SYSCALL', 'it is used', { class: 'unavailable' });
  };
  await sim.declare(PAIR);
  expect([...sim.host.failures.keys()]).toEqual(['container//snapshot-ab12']);
  sim.host.orphans = [];
  await sim.declare(PAIR);
  expect([...sim.host.failures.keys()]).toEqual([]);
});

test('the ops of a key are forgotten once a pass finds nothing left to do', () => {
  const failures = new RetryTracker({ get: () => undefined, record: () => {}, clear: () => {}, keys: () => [] });
  const now = { wallMs: 0, bootMs: 0 };
  failures.succeeded(WEB, [], 'hash', now);
  expect([...failures.keys()]).toEqual([WEB]);
  failures.quiet(WEB);
  expect([...failures.keys()]).toEqual([]);
});

test('a release of ports does not clear the failure of the start', () => {
  const kept = new Map<string, OpFailure>();
  const failures = new RetryTracker({
    get: (key) => kept.get(key),
    record: (key, failure) => kept.set(key, failure),
    clear: (key) => kept.delete(key),
    keys: () => [],
  });
  const now = { wallMs: 0, bootMs: 0 };
  failures.failed(WEB, { op: 'container.start', class: 'unavailable', message: 'no' }, 'hash', now);
  const base = { key: WEB, containerId: 'a', cause: { reason: 'exited', message: '' }, dependsOn: [] } as const;
  failures.succeeded(WEB, [{ ...base, id: `withdraw ${WEB}`, op: 'container.withdraw' }], 'hash', now);
  expect(kept.get(WEB)?.attempts).toBe(1);
  failures.succeeded(WEB, [{ ...base, id: `connect ${WEB}`, op: 'container.connect' }], 'hash', now);
  expect(kept.size).toBe(0);
});
