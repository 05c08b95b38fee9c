import { describe, expect, test } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import type { ResourceKey } from '../../../src/model/resource.ts';
import type { OpContext, OpHandlers, OpResult } from '../../../src/reconcile/executor.ts';
import { Executor } from '../../../src/reconcile/executor.ts';
import type { Op, OpType, Plan } from '../../../src/reconcile/op.ts';
import { ManualTime, settled } from '../../support/manual-time.ts';
import { everyOp } from '../../support/simulation.ts';

type Handler = (op: Op, context: OpContext) => Promise<void>;

function bench(handler: Handler, concurrency = 8) {
  const time = new ManualTime();
  const journal: string[] = [];
  const executor = new Executor({
    handlers: everyOp(handler) as OpHandlers,
    engine: new Engine({ clock: time, timers: time }),
    journal: {
      begin: (op) => journal.push(`begin ${op.id}`),
      end: (result) => journal.push(`${result.status} ${result.op.id}`),
    },
    clock: time,
    timers: time,
    concurrency,
  });
  return { executor, journal, time };
}

const op = (type: OpType, name: string, ...dependsOn: string[]): Op =>
  ({
    id: `${type.split('.')[1]} container/x/${name}`,
    op: type,
    key: `container/x/${name}` as ResourceKey,
    cause: { reason: 'declared', message: 'declared' },
    dependsOn,
    containerId: name,
    timeoutMs: 10_000,
  }) as Op;

const planOf = (...ops: Op[]): Plan => ({ generation: 1, ops, holds: [], forgiven: new Set() });
const lines = (results: readonly OpResult[]) =>
  results.map(({ op: { id }, status, skipped }) => `${status} ${id}${skipped === null ? '' : `: ${skipped}`}`);

const forever = new AbortController().signal;

test('ops run after their dependencies, otherwise concurrently, and are journalled before and after', async () => {
  const running: string[] = [];
  const { executor, journal } = bench(async ({ id }) => {
    running.push(id);
    await settled();
  });
  const ops = [
    op('container.create', 'a'),
    op('container.create', 'b'),
    op('container.start', 'a', 'create container/x/a', 'create container/x/b'),
  ];
  await executor.execute(planOf(...ops), forever);
  expect(running).toEqual(['create container/x/a', 'create container/x/b', 'start container/x/a']);
  expect(journal).toEqual([
    'begin create container/x/a',
    'begin create container/x/b',
    'done create container/x/a',
    'done create container/x/b',
    'begin start container/x/a',
    'done start container/x/a',
  ]);
});

test('ops that depend on a failed op are skipped with the reason and do not run', async () => {
  let calls = 0;
  const { executor } = bench(async ({ id }) => {
    calls++;
    if (id === 'start container/x/db') throw new TsdError('TSD_COMMAND_NOT_FOUND', '/bin/db is not in the image');
  });
  const results = await executor.execute(
    planOf(
      op('container.start', 'db'),
      op('container.start', 'web', 'start container/x/db'),
      op('container.start', 'proxy', 'start container/x/web'),
      op('container.start', 'other'),
    ),
    forever,
  );
  expect(lines(results).sort()).toEqual([
    'done start container/x/other',
    'failed start container/x/db',
    'skipped start container/x/proxy: start container/x/db failed',
    'skipped start container/x/web: start container/x/db failed',
  ]);
  expect(calls).toBe(2);
  expect(results.find(({ status }) => status === 'failed')?.error).toMatchObject({
    code: 'TSD_COMMAND_NOT_FOUND',
    key: 'container/x/db',
  });
});

test('any exception becomes a typed error', async () => {
  const { executor } = bench(() => Promise.reject(new TypeError('x is undefined')));
  const [result] = await executor.execute(planOf(op('container.start', 'a')), forever);
  expect(result?.error).toMatchObject({ code: 'TSD_BUG', class: 'bug', message: 'x is undefined' });
});

/** An executor, and how many ops it had in flight at most. */
function counted(concurrency?: number) {
  let inFlight = 0;
  let most = 0;
  const { executor } = bench(async () => {
    most = Math.max(most, ++inFlight);
    await settled();
    inFlight--;
  }, concurrency);
  return { executor, most: () => most };
}

test('one op runs per key, over all plans', async () => {
  const { executor, most } = counted();
  const same = () => planOf(op('container.connect', 'a'));
  await Promise.all([1, 2, 3].map(() => executor.execute(same(), forever)));
  expect(most()).toBe(1);
});

test('no more ops at a time than allowed', async () => {
  const { executor, most } = counted(3);
  const ops = Array.from({ length: 20 }, (_, index) => op('container.start', `c${index}`));
  await executor.execute(planOf(...ops), forever);
  expect(most()).toBe(3);
});

test('an end that cannot be recorded is a failure', async () => {
  const time = new ManualTime();
  const executor = new Executor({
    handlers: everyOp(async () => {}) as OpHandlers,
    engine: new Engine({ clock: time, timers: time }),
    journal: {
      begin: () => {},
      end: () => {
        throw new TsdError('TSD_DISK_FULL', 'history.db: disk full');
      },
    },
    clock: time,
    timers: time,
    concurrency: 1,
  });
  const results = await executor.execute(
    planOf(op('container.start', 'a'), op('container.relink', 'a', 'start container/x/a')),
    forever,
  );
  expect(results.map(({ status }) => status)).toEqual(['failed', 'failed']);
});

test('ops that make room on a full disk run unrecorded, ops that need room do not start', async () => {
  const time = new ManualTime();
  const begun: string[] = [];
  const full = (): never => {
    throw new TsdError('TSD_DISK_FULL', 'history.db: disk full');
  };
  const executor = new Executor({
    handlers: everyOp(async ({ id }) => void begun.push(id)) as OpHandlers,
    engine: new Engine({ clock: time, timers: time }),
    journal: { begin: full, end: full },
    clock: time,
    timers: time,
    concurrency: 1,
  });
  const plan = planOf(
    { ...op('container.stop', 'a'), restart: false } as Op,
    op('container.remove', 'a', 'stop container/x/a'),
    { ...op('container.stop', 'b'), restart: true } as Op,
    op('container.start', 'c'),
  );
  const results = await executor.execute(plan, forever);
  expect(begun).toEqual(['stop container/x/a', 'remove container/x/a']);
  expect(lines(results).sort()).toEqual([
    'done remove container/x/a',
    'done stop container/x/a',
    'failed start container/x/c',
    'failed stop container/x/b',
  ]);
});

describe('cancellation', () => {
  test('skips pending ops and lets a running removal finish', async () => {
    const pass = new AbortController();
    const { executor } = bench(async ({ id }) => {
      if (id === 'stop container/x/a') pass.abort();
    }, 1);
    const results = await executor.execute(
      planOf(
        op('container.stop', 'a'),
        op('container.disconnect', 'a', 'stop container/x/a'),
        op('container.remove', 'a', 'disconnect container/x/a'),
        op('container.create', 'a', 'remove container/x/a'),
        op('container.stop', 'b'),
        op('container.remove', 'b', 'stop container/x/b'),
      ),
      pass.signal,
    );
    expect(lines(results)).toEqual([
      'done stop container/x/a',
      'skipped stop container/x/b: cancelled',
      'skipped remove container/x/b: cancelled',
      'done disconnect container/x/a',
      'done remove container/x/a',
      'skipped create container/x/a: cancelled',
    ]);
  });

  test('aborts a build and a stop at once and lets other teardowns finish', async () => {
    const pass = new AbortController();
    const aborted: string[] = [];
    const { executor, time } = bench(
      ({ id }, { signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => {
            aborted.push(id);
            resolve();
          });
        }),
    );
    const ops = [op('container.start', 'a'), op('container.stop', 'b'), op('container.remove', 'c')];
    const done = executor.execute(planOf(...ops), pass.signal);
    await settled();
    pass.abort();
    await settled();
    expect(aborted).toEqual(['start container/x/a', 'stop container/x/b']);
    await time.advance(9_999);
    expect(aborted).toHaveLength(2);
    await time.advance(1);
    await done;
    expect([aborted.length, time.pending]).toEqual([3, 0]);
  });
});
