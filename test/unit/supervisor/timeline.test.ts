import { expect, test } from 'vitest';
import { TsdError } from '../../../src/model/errors/errors.ts';
import type { TimelineDraft } from '../../../src/model/status/timeline.ts';
import type { OpResult } from '../../../src/reconcile/executor.ts';
import { Timeline } from '../../../src/supervisor/timeline.ts';

const PLACE = { file: '/m/blog.yaml', line: 3, column: 5 };

/** What is kept of a load that failed at a place, for an op that is declared at {@link PLACE}. */
function noted(source: typeof PLACE): TimelineDraft | undefined {
  const kept: TimelineDraft[] = [];
  const timeline = new Timeline({
    clock: { now: () => ({ wallMs: 1, bootMs: 1 }) },
    generation: () => 7,
    history: { timeline: { note: (entry: TimelineDraft) => kept.push(entry) } },
    pruning: { wrote: () => undefined },
    containers: { get: () => undefined },
  } as unknown as ConstructorParameters<typeof Timeline>[0]);
  const error = new TsdError('TSD_IMAGE_INVALID', 'cannot read /m/x.tar', { source, hint: 'Look at it.' });
  const cause = { reason: 'declared', message: 'declared in /m/blog.yaml:3:5', source: PLACE };
  const op = { op: 'image.load', id: 'load', key: 'image/blog/app', cause, dependsOn: [] };
  timeline.op({ op, status: 'failed', ms: 1, error, skipped: null } as unknown as OpResult, 7);
  return kept[0];
}

test('a failure at the position of its op names the position once', () =>
  expect(noted(PLACE)).toMatchObject({
    source: PLACE,
    cause: 'declared in /m/blog.yaml:3:5',
    message: 'cannot read /m/x.tar — Look at it.',
  }));

test('a failure at another position names it', () =>
  expect(noted({ ...PLACE, line: 9 })?.message).toBe('/m/blog.yaml:9:5: cannot read /m/x.tar — Look at it.'));
