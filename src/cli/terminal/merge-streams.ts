/** Several streams as one. */

/** Items as they come, until all streams have ended. A stream that fails ends all. */
export async function* together<T>(streams: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const arrived: { readonly item: T; readonly taken: () => void }[] = [];
  let open = streams.length;
  let failure: { readonly error: unknown } | null = null;
  let wake = (): void => {};
  const pump = async (stream: AsyncGenerator<T>): Promise<void> => {
    try {
      for await (const item of stream) {
        const taken = new Promise<void>((resolve) => arrived.push({ item, taken: resolve }));
        wake();
        await taken;
      }
    } catch (error) {
      failure ??= { error };
    } finally {
      open -= 1;
      wake();
    }
  };
  for (const stream of streams) void pump(stream);
  try {
    while (open > 0 || arrived.length > 0) {
      if (failure) throw (failure as { readonly error: unknown }).error;
      const next = arrived.shift();
      if (next) {
        yield next.item;
        next.taken();
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    if (failure) throw (failure as { readonly error: unknown }).error;
  } finally {
    for (const stream of streams) void stream.return(undefined).catch(() => undefined);
  }
}

/** Items of streams that end, by RFC 3339 time; each stream keeps its own order. */
export async function* inOrderOfTime<T>(
  streams: readonly AsyncGenerator<T>[],
  timeOf: (item: T) => string,
): AsyncGenerator<T> {
  const heads = await Promise.all(streams.map(async (stream) => ({ stream, head: await stream.next() })));
  for (;;) {
    let first: (typeof heads)[number] | null = null;
    for (const candidate of heads) {
      if (candidate.head.done === true) continue;
      if (first === null || earlier(timeOf(candidate.head.value), timeOf(first.head.value))) first = candidate;
    }
    if (first === null || first.head.done === true) return;
    yield first.head.value;
    first.head = await first.stream.next();
  }
}

/** Fractions have as many digits as they need, so whole texts cannot be compared. */
function earlier(a: string, b: string): boolean {
  const [secondsA = '', fractionA = ''] = a.replace('Z', '').split('.');
  const [secondsB = '', fractionB = ''] = b.replace('Z', '').split('.');
  return secondsA === secondsB ? fractionA.padEnd(9, '0') < fractionB.padEnd(9, '0') : secondsA < secondsB;
}
