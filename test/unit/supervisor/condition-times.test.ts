import { expect, test } from 'vitest';
import type { ObservedContainer } from '../../../src/model/observed.ts';
import type { Condition } from '../../../src/model/status/phases.ts';
import type { Op } from '../../../src/reconcile/op.ts';
import { type ConditionFacts, datedConditions } from '../../../src/supervisor/views/condition-times.ts';

const at = (second: number): number => Date.UTC(2026, 0, 2, 3, 4, second);
const condition = (type: Condition['type'], status = true): Condition => ({ type, status, reason: 'R', message: '' });
const running = { running: true, startedAtWallMs: at(1), startedAtBootMs: 1000, exit: null, health: null };
const ended = { running: false, startedAtWallMs: at(1), startedAtBootMs: 1000, exit: { finishedAtWallMs: at(5) } };

function sinceOf(
  conditions: readonly Condition[],
  facts: Partial<Omit<ConditionFacts, 'observed'>>,
  observed?: object,
) {
  const all = { op: null, heldSinceMs: null, stoppedAtMs: null, ...facts };
  return datedConditions(conditions, { ...all, observed: observed as ObservedContainer | undefined }).map(
    ({ type, since }) => `${type} ${since?.slice(17, -1) ?? '-'}`,
  );
}

test('readiness counts from the start, the end, the first success, or the wait', () => {
  const health = { state: 'healthy', readySinceBootMs: 3000 };
  expect(sinceOf([condition('Ready')], {}, running)).toEqual(['Ready 01.000']);
  expect(sinceOf([condition('Ready')], {}, { ...running, health })).toEqual(['Ready 03.000']);
  const starting = { state: 'starting', readySinceBootMs: null };
  expect(sinceOf([condition('Ready', false)], {}, { ...running, health: starting })).toEqual(['Ready 01.000']);
  expect(sinceOf([condition('Ready', false)], { heldSinceMs: at(6) }, ended)).toEqual(['Ready 05.000']);
  expect(sinceOf([condition('Ready', false)], { heldSinceMs: at(6) })).toEqual(['Ready 06.000']);
  expect(sinceOf([condition('Ready', false)], {})).toEqual(['Ready -']);
});

test('waiting counts from its report, overrides from the request', () => {
  const conditions = [condition('Parked'), condition('Held'), condition('Drifted'), condition('Stopped')];
  expect(sinceOf(conditions, { heldSinceMs: at(7), stoppedAtMs: at(8) }, ended)).toEqual([
    'Parked 07.000',
    'Held 07.000',
    'Drifted 07.000',
    'Stopped 08.000',
  ]);
});

test('a running op is its own condition', () => {
  const op = { op: 'container.start', cause: { reason: 'exited', message: 'exited with 1' } } as Op;
  expect(
    datedConditions([], { observed: undefined, op: { op, sinceMs: at(9) }, heldSinceMs: null, stoppedAtMs: null }),
  ).toEqual([
    {
      type: 'Progressing',
      status: true,
      reason: 'ContainerStart',
      message: 'exited with 1',
      since: '2026-01-02T03:04:09.000Z',
    },
  ]);
});
