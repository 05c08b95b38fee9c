/** Sorting that can pause. Pure. */

/** Items that one step sorts or merges: about a millisecond. */
const STEP = 2048;

/**
 * Sorts like `Array.prototype.sort`, stable. A generator, so that the caller can yield to other work between steps; the cost
 * of a step does not grow with the number of items.
 */
export function* sortInSteps<T>(items: readonly T[], compare: (a: T, b: T) => number): Generator<null, T[]> {
  let runs: T[][] = [];
  for (let at = 0; at < items.length; at += STEP) {
    runs.push(items.slice(at, at + STEP).sort(compare));
    if (at > 0) yield null;
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      const [first, second] = [runs[at] as T[], runs[at + 1]];
      merged.push(second === undefined ? first : yield* merge(first, second, compare));
    }
    runs = merged;
  }
  return runs[0] ?? [];
}

function* merge<T>(first: readonly T[], second: readonly T[], compare: (a: T, b: T) => number): Generator<null, T[]> {
  const all: T[] = [];
  let [left, right] = [0, 0];
  while (left < first.length || right < second.length) {
    const takesLeft =
      right >= second.length || (left < first.length && compare(first[left] as T, second[right] as T) <= 0);
    all.push((takesLeft ? first[left++] : second[right++]) as T);
    if (all.length % STEP === 0) yield null;
  }
  return all;
}
