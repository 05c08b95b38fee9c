/** Edit distance with swapped neighbours counted as one (optimal string alignment); undefined beyond `limit`. */
function distanceWithin(limit: number, a: string, b: string): number | undefined {
  const far = limit + 1;
  let [twoAbove, above]: [number[], number[]] = [[], Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i++) {
    // Farther from the diagonal than the limit nothing is within it.
    const row = new Array<number>(b.length + 1).fill(far);
    row[0] = i;
    let least = i;
    for (let j = Math.max(1, i - limit); j <= Math.min(b.length, i + limit); j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((above[j] ?? far) + 1, (row[j - 1] ?? far) + 1, (above[j - 1] ?? far) + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (twoAbove[j - 2] ?? far) + 1);
      }
      row[j] = best;
      least = Math.min(least, best);
    }
    // A swap reaches back over one row.
    if (least > far) return undefined;
    [twoAbove, above] = [above, row];
  }
  const away = above[b.length] ?? far;
  return away <= limit ? away : undefined;
}

/** Longest word worth a suggestion, and how many names it is looked for in: a file may hold 10,000 words that stand for nothing. */
const MAX_WORD = 64;
const MAX_CANDIDATES = 1_000;
const MAX_COMPARED = 100;
/** More letters than a person mistypes. */
const MAX_DISTANCE = 4;

/** The candidate a person most likely meant, or undefined when none is near. Case does not count. */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > MAX_WORD || candidates.length > MAX_CANDIDATES) return undefined;
  const wanted = word.toLowerCase();
  const limit = Math.min(MAX_DISTANCE, Math.max(1, Math.floor(word.length / 3)));
  let best: { candidate: string; distance: number } | undefined;
  let compared = 0;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) > limit) continue;
    if (++compared > MAX_COMPARED) break;
    const away = distanceWithin(limit, wanted, candidate.toLowerCase());
    if (away !== undefined && (best === undefined || away < best.distance)) best = { candidate, distance: away };
  }
  return best?.candidate;
}
