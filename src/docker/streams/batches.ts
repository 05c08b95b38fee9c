/** Pieces that come in quick succession, put together: a write each would cost more than the work for it. */
import { setImmediate } from 'node:timers/promises';

const MOST_BYTES = 64 * 1024;

/** Nothing waits for more than what is there already. */
export async function* batched(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const iterator = pieces[Symbol.asyncIterator]();
  let batch: Buffer[] = [];
  let bytes = 0;
  try {
    for (let next = iterator.next(); ; next = iterator.next()) {
      if (bytes > 0) {
        const soon = setImmediate(null);
        const early = bytes < MOST_BYTES ? await Promise.race([next, soon]) : null;
        if (early === null) {
          yield Buffer.concat(batch);
          batch = [];
          bytes = 0;
        }
      }
      const { done, value } = await next;
      if (done === true) break;
      batch.push(value);
      bytes += value.length;
    }
    if (bytes > 0) yield Buffer.concat(batch);
  } finally {
    await iterator.return?.();
  }
}
