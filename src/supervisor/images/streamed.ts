import type { TransferEvent } from '../../api/transfer-event.ts';
import { describeError, toTsdError } from '../../model/errors.ts';
import type { ProgressSink } from '../../reconcile/ops/image.ts';

/**
 * Runs work and streams its progress, then `ready` after its last message, or `failed`. The work goes on to its end when
 * nobody listens any more, unless it obeys the signal itself.
 */
export async function* streamed(
  resource: string,
  work: (report: ProgressSink) => Promise<string>,
  signal?: AbortSignal,
): AsyncGenerator<TransferEvent> {
  const queue: TransferEvent[] = [];
  let wake = (): void => {};
  let done = false;
  const report: ProgressSink = (message, current, total) => {
    queue.push({ type: 'progress', resource, message, current, total });
    wake();
  };
  const running = work(report).finally(() => {
    done = true;
    wake();
  });
  // Its failure is looked at below; until then it is no unhandled one.
  running.catch(() => {});
  while (!done && !signal?.aborted) {
    yield* queue.splice(0);
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (done || queue.length > 0) resolve();
    });
  }
  yield* queue.splice(0);
  try {
    const message = await running;
    yield { type: 'progress', resource, message, current: 1, total: 1 };
    yield { type: 'ready', generation: 0 };
  } catch (thrown) {
    const failure = toTsdError(thrown);
    yield { type: 'failed', error: { ...failure.toJSON(), message: describeError(failure) } };
  }
}
