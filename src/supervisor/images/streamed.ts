import type { TransferEvent } from '../../api/images/transfer-event.ts';
import { describeError, type TsdErrorJson, toTsdError } from '../../model/errors/errors.ts';
import type { ProgressSink } from '../../model/progress.ts';

/** What may wait for a listener that does not read, by the weight of its events. */
const MOST_WAITING = 4 * 1024 ** 2;

export interface StreamOptions<Event> {
  readonly failed: (error: TsdErrorJson) => Event;
  readonly signal?: AbortSignal | undefined;
  /** Approximate bytes of an event that may be left out when the queue is long; 0: never left out. */
  readonly weight?: (event: Event) => number;
  /** Returns the event that replaces left-out ones of this total weight. */
  readonly leftOut?: (weight: number) => Event;
}

/** Events on their way to a listener that may be slow. */
class Waiting<Event> {
  readonly #options: StreamOptions<Event>;
  #events: Event[] = [];
  #weight = 0;
  #leftOut = 0;

  constructor(options: StreamOptions<Event>) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#events.length === 0;
  }

  add(event: Event): void {
    const weight = this.#options.weight?.(event) ?? 0;
    if (weight > 0 && this.#weight + weight > MOST_WAITING) {
      this.#leftOut += weight;
      return;
    }
    this.#closeGap();
    this.#weight += weight;
    this.#events.push(event);
  }

  take(): Event[] {
    this.#closeGap();
    const events = this.#events;
    this.#events = [];
    this.#weight = 0;
    return events;
  }

  #closeGap(): void {
    const { leftOut } = this.#options;
    if (this.#leftOut > 0 && leftOut) this.#events.push(leftOut(this.#leftOut));
    this.#leftOut = 0;
  }
}

/**
 * Runs work and yields the events it sends, then `failed` when it fails. When the listener leaves, the work runs to its end
 * unless it handles the signal itself. It does not wait for a slow listener.
 */
export async function* streamedEvents<Event>(
  work: (send: (event: Event) => void) => Promise<void>,
  options: StreamOptions<Event>,
): AsyncGenerator<Event> {
  const { failed, signal } = options;
  const waiting = new Waiting(options);
  let wake = (): void => {};
  let done = false;
  const running = work((event) => {
    waiting.add(event);
    wake();
  }).finally(() => {
    done = true;
    wake();
  });
  // Its failure is looked at below; until then it is no unhandled one.
  running.catch(() => {});
  while (!done && !signal?.aborted) {
    yield* waiting.take();
    await new Promise<void>((resolve) => {
      wake = resolve;
      if (done || !waiting.isEmpty) resolve();
    });
  }
  yield* waiting.take();
  try {
    await running;
    yield* waiting.take();
  } catch (thrown) {
    const failure = toTsdError(thrown);
    yield failed({ ...failure.toJSON(), message: describeError(failure) });
  }
}

/** Runs work and streams its progress, then `ready` after what it has done, or `failed`: see {@link streamedEvents}. */
export function streamed(
  resource: string,
  work: (report: ProgressSink) => Promise<string | readonly string[]>,
  signal?: AbortSignal,
): AsyncGenerator<TransferEvent> {
  return streamedEvents<TransferEvent>(
    async (send) => {
      const done = await work((text, current, total, part) => {
        send({ type: 'progress', resource, message: text, current, total, ...(part && { part }) });
      });
      for (const message of [done].flat()) send({ type: 'result', resource, message });
      send({ type: 'ready', generation: 0 });
    },
    { failed: (error) => ({ type: 'failed', error }), signal },
  );
}
