import { describe, expect, test } from 'vitest';
import type { ObservedHealth } from '../../../src/model/health.ts';
import type { ContainerSpec } from '../../../src/model/kinds/container.ts';
import type { ObservedContainer, ObservedExit } from '../../../src/model/observed.ts';
import { type EndedRun, judgeRun, type RunInput, settleOf } from '../../../src/reconcile/plan/run-verdict.ts';
import { declare } from '../../support/declare.ts';
import { hostWith } from '../../support/planning.ts';

const WEB = 'container/app/web';
/** The command came at this time on the boot clock. */
const SINCE = 500_000;

const spec = (restart: string): ContainerSpec =>
  declare({ app: { containers: { web: { image: 'i', restart } } } }).resources.get(WEB)?.spec as ContainerSpec;

const made = hostWith({ app: { containers: { web: { image: 'i' } } } }).container(WEB);

const runs = (change: Partial<ObservedContainer> = {}): ObservedContainer => ({
  ...made,
  running: true,
  startedAtBootMs: SINCE + 100,
  ...change,
});

const ended = (code: number | null, change: Partial<ObservedContainer> = {}, exit: Partial<ObservedExit> = {}) => ({
  ...made,
  running: false,
  startedAtBootMs: null,
  exit: {
    code,
    oomKilled: false,
    finishedAtWallMs: 0,
    finishedAtBootMs: SINCE + 300,
    ranForMs: 200,
    ...exit,
  },
  ...change,
});

const BEFORE = { finishedAtBootMs: SINCE - 1 };

const health = (ready: boolean) => ({ ready, message: ready ? '' : 'connection refused' }) as ObservedHealth;

const end = (code: number | null, unhealthy: string | null = null): EndedRun => ({
  code,
  oomKilled: false,
  ranForMs: 300,
  log: ['no database'],
  unhealthy,
});

type Row = [title: string, input: Partial<RunInput> & { atMs?: number; policy?: string }, verdict: object];

const waiting = (untilBootMs: number | null, message?: string) => ({
  is: 'waiting',
  untilBootMs,
  ...(message !== undefined && { message }),
});
const failed = (exitCode: number | null, message: string) => ({ is: 'failed', exitCode, message });

const ROWS: readonly Row[] = [
  ['runs for less than the settle time', { container: runs(), atMs: 1_099 }, waiting(SINCE + 1_100)],
  ['runs for the settle time', { container: runs(), atMs: 1_100 }, { is: 'ready' }],
  ['runs for days, whoever started it', { container: runs({ startedAtBootMs: 5 }), atMs: 0 }, { is: 'ready' }],
  [
    'runs, and when it began is not known',
    { container: runs({ startedAtBootMs: null }), atMs: 999 },
    waiting(SINCE + 1_000),
  ],
  ['no settle time', { container: runs(), settleMs: 0, atMs: 100 }, { is: 'ready' }],
  ['a probe passes: nothing has to settle', { container: runs({ health: health(true) }), atMs: 101 }, { is: 'ready' }],
  ['a probe fails', { container: runs({ health: health(false) }), atMs: 9_000 }, waiting(null, 'connection refused')],
  ['paused', { container: runs({ paused: true }), atMs: 9_000 }, waiting(null, 'it is paused')],
  ['its shim cannot be asked', { container: runs({ unknown: 'no answer' }), atMs: 9_000 }, waiting(null, 'no answer')],
  [
    'its end is not recorded',
    { container: runs({ unrecorded: 'disk full' }), atMs: 9_000 },
    waiting(null, 'disk full'),
  ],
  ['others wait for its end', { container: runs(), awaited: true, atMs: 9_000 }, waiting(null)],
  ['awaited, ended with 0', { container: ended(0), awaited: true, policy: 'always' }, { is: 'completed' }],
  ['awaited, ended with 3', { container: ended(3), awaited: true }, failed(3, 'exited with 3 after 0.2 s')],
  [
    'awaited, ended with 0 and started again',
    { container: runs(), awaited: true, policy: 'always', ended: end(0) },
    { is: 'completed' },
  ],
  ['no: ended with 0', { container: ended(0) }, { is: 'completed' }],
  ['no: ended with 0 long ago', { container: ended(0, {}, BEFORE) }, { is: 'completed' }],
  ['on-failure: ended with 0', { container: ended(0), policy: 'on-failure' }, { is: 'completed' }],
  ['no: ended with 1', { container: ended(1) }, failed(1, 'exited with 1 after 0.2 s')],
  ['no: ended with 1 long ago', { container: ended(1, {}, BEFORE) }, failed(1, 'exited with 1 after 0.2 s')],
  ['on-failure: ended with 1', { container: ended(1), policy: 'on-failure' }, failed(1, 'exited with 1 after 0.2 s')],
  ['always: ended with 0', { container: ended(0), policy: 'always' }, failed(0, 'exited with 0 after 0.2 s')],
  ['always: killed', { container: ended(137), policy: 'always' }, failed(137, 'exited with 137 (SIGKILL) after 0.2 s')],
  [
    'always: ended before the command, and starts again',
    { container: ended(1, {}, BEFORE), policy: 'always' },
    waiting(null),
  ],
  [
    'on-failure:1, no restart left',
    { container: ended(1, { restarts: { restarts: 1, consecutive: 1 } }, BEFORE), policy: 'on-failure:1' },
    failed(1, 'exited with 1 after 0.2 s'),
  ],
  ['always: nobody saw the end', { container: ended(null), policy: 'always' }, waiting(null)],
  ['no: nobody saw the end', { container: ended(null) }, { is: 'failed', exitCode: null }],
  ['ended, and a start is asked for', { container: ended(1, { restartRequested: true }) }, waiting(null)],
  ['never started', { container: { ...made, running: false, run: 0, exit: null } }, waiting(null)],
  [
    'a start that failed',
    { container: ended(0, { startError: { class: 'unavailable', message: 'no address' } }) },
    waiting(null, 'no address'),
  ],
  ...['no', 'always', 'on-failure:3'].map(
    (policy): Row => [
      `${policy}: a start that failed for what the container is`,
      { container: ended(0, { startError: { class: 'precondition', message: 'no such program' } }), policy },
      { is: 'unstartable', message: 'no such program' },
    ],
  ),
  [
    'runs again after an end',
    { container: runs(), policy: 'always', ended: end(3), atMs: 9_000 },
    { ...failed(3, 'exited with 3 after 0.3 s'), log: ['no database'] },
  ],
  ['runs again after an end with 0 that was meant', { container: runs(), ended: end(0), atMs: 9_000 }, { is: 'ready' }],
  [
    'was ended because its probes failed',
    { container: runs(), policy: 'always', ended: end(143, 'liveness failed') },
    failed(143, 'unhealthy: liveness failed'),
  ],
];

describe('the verdict on a run', () => {
  test.each(ROWS)('%s', (_title, { atMs = 400, policy = 'no', ...input }, verdict) => {
    const now = { wallMs: 0, bootMs: SINCE + atMs };
    const whole = { spec: spec(policy), awaited: false, settleMs: 1_000, sinceBootMs: SINCE, ended: null, now };
    expect(judgeRun({ ...whole, ...input } as RunInput)).toMatchObject(verdict);
  });

  test('uses the settle time of the command, of the manifest, or a second', () => {
    const { update } = spec('no');
    expect(settleOf({ update })).toBe(1_000);
    expect(settleOf({ update: { ...update, settleMs: 7_000 } })).toBe(7_000);
    expect(settleOf({ update: { ...update, settleMs: 7_000 } }, 0)).toBe(0);
  });
});
