/** Streams of events that jobs give: to typed code, and as lines of standard output. */
import type { Job } from '../../engine/job.ts';
import { TsdError } from '../../model/errors/errors.ts';

/** Last events of a stream that mean its work failed. */
interface Ending {
  readonly type?: unknown;
  readonly error?: { readonly code: TsdError['code']; readonly class: TsdError['class']; readonly message: string };
  readonly issues?: readonly { readonly message: string }[];
}

function failureOf(item: unknown): TsdError | null {
  const { type, error, issues } = item as Ending;
  if (type === 'failed' && error !== undefined) return new TsdError(error.code, error.message, { class: error.class });
  if (type === 'rejected') return new TsdError('TSD_MANIFEST_SCHEMA', issues?.[0]?.message ?? 'rejected');
  return null;
}

/** Writes events as they come, as fast as they are read. @throws the failure that the stream ends with */
export async function writeStream(job: Job, items: AsyncIterable<unknown>): Promise<void> {
  let failure: TsdError | null = null;
  for await (const item of items) {
    failure = failureOf(item) ?? failure;
    await job.stdout.write(`${JSON.stringify(item)}\n`);
  }
  if (failure !== null) throw failure;
  // A stream that is cancelled ends without an error.
  job.signal.throwIfAborted();
}

/**
 * Yields the events of a job that is created now and begins with the first read. The job lasts as long as its stream:
 * a listener that leaves early cancels it, and later output is dropped until the stream has ended.
 * @param begin creates the job, which passes its stream to `take` and waits for the result
 */
export async function* streamOf(
  begin: (take: (items: AsyncIterable<unknown>) => Promise<void>) => Job,
): AsyncGenerator<unknown> {
  const { promise: source, resolve: opened, reject: refused } = deferred<AsyncIterator<unknown>>();
  const { promise: over, resolve: ended, reject: broken } = deferred<void>();
  over.catch(() => {});
  const job = begin((items) => {
    opened(items[Symbol.asyncIterator]());
    return over;
  });
  // The stream reports the end of the job.
  job.run().catch(refused);
  const iterator = await source;
  let failure: TsdError | null = null;
  let atEnd = false;
  try {
    for (;;) {
      const next = await iterator.next();
      if (next.done === true) break;
      failure = failureOf(next.value) ?? failure;
      yield next.value;
    }
    atEnd = true;
    if (failure === null) ended();
    else broken(failure);
  } catch (thrown) {
    atEnd = true;
    broken(thrown);
    throw thrown;
  } finally {
    if (!atEnd) {
      job.cancel('who listened is gone');
      void drain(iterator, failure).then(ended, broken);
    }
  }
}

/** @throws the failure that the stream ends with; `known` where that came before */
async function drain(iterator: AsyncIterator<unknown>, known: TsdError | null): Promise<void> {
  let failure = known;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
    failure = failureOf(next.value) ?? failure;
  }
  if (failure !== null) throw failure;
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (reason: unknown) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
