import type { TransferEvent } from '../../api/transfer-event.ts';
import { describeError, type TsdErrorJson, toTsdError } from '../../model/errors.ts';
import type { ProgressSink } from '../../reconcile/ops/image.ts';

/**
 * Runs work and streams what it sends, then `failed` when it fails. The work goes on to its end when nobody listens any
 * more, unless it obeys the signal itself.
 */
export async function* streamedEvents<Event>(
  work: (send: (event: Event) => void) => Promise<void>,
  failed: (error: TsdErrorJson) => Event,
  signal?: AbortSignal,
): AsyncGenerator<Event> {
  const queue: Event[] = [];
  let wake = (): void => {};
  let done = false;
  const running = work((event) => {
    queue.push(event);
    wake();
  }).finally(() => {
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
    await running;
    yield* queue.splice(0);
  } catch (thrown) {
    const failure = toTsdError(thrown);
    yield failed({ ...failure.toJSON(), message: describeError(failure) });
  }
}

/** Runs work and streams its progress, then `ready` after its last message, or `failed`: see {@link streamedEvents}. */
export function streamed(
  resource: string,
  work: (report: ProgressSink) => Promise<string>,
  signal?: AbortSignal,
): AsyncGenerator<TransferEvent> {
  return streamedEvents<TransferEvent>(
    async (send) => {
      const message = await work((text, current, total) => {
        send({ type: 'progress', resource, message: text, current, total });
      });
      send({ type: 'progress', resource, message, current: 1, total: 1 });
      send({ type: 'ready', generation: 0 });
    },
    (error) => ({ type: 'failed', error }),
    signal,
  );
}
