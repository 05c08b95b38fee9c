/** Streams of the supervisor as answers: their failure before the first line is the status of the answer. */
import type { TransferEvent } from '../../api/images/transfer-event.ts';
import { TsdError, type TsdErrorJson } from '../../model/errors/errors.ts';

export interface Begun<Event> {
  /** All events, those that were waited for too. */
  readonly events: AsyncIterable<Event>;
}

/** Reads until an event says that the work goes well. @throws what `failed` makes of a failure before that */
export async function begun<Event extends { readonly type: string }>(
  source: AsyncIterable<Event>,
  isUnderWay: (event: Event) => boolean,
  failed: (error: TsdError) => Error = (error) => error,
): Promise<Begun<Event>> {
  const iterator = source[Symbol.asyncIterator]();
  const first: Event[] = [];
  for (;;) {
    const next = await iterator.next();
    if (next.done === true) break;
    const failure = failureOf(next.value);
    if (failure !== null) throw failed(failure);
    first.push(next.value);
    if (isUnderWay(next.value)) break;
  }
  return { events: joined(first, iterator) };
}

async function* joined<Event>(first: readonly Event[], rest: AsyncIterator<Event>): AsyncGenerator<Event> {
  try {
    yield* first;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    // One who leaves early calls the work off.
    await rest.return?.();
  }
}

/** Null for an event that is no failure. */
export function failureOf(event: { readonly type: string }): TsdError | null {
  return event.type === 'failed' ? errorOf((event as Extract<TransferEvent, { type: 'failed' }>).error) : null;
}

function errorOf({ code, message, ...details }: TsdErrorJson): TsdError {
  return new TsdError(code, message, details);
}
