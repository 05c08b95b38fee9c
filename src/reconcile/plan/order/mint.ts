/**
 * Deterministic pseudo-random numbers: equal inputs give equal numbers, so that a plan can be repeated. Not for secrets.
 */

/** Seeds four 32-bit lanes from text; each lane mixes every character (the public-domain cyrb128). */
function lanesOf(text: string): [number, number, number, number] {
  let [a, b, c, d] = [1779033703, 3144134277, 1013904242, 2773480762];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = b ^ Math.imul(a ^ code, 597399067);
    b = c ^ Math.imul(b ^ code, 2869860233);
    c = d ^ Math.imul(c ^ code, 951274213);
    d = a ^ Math.imul(d ^ code, 2716044179);
  }
  a = Math.imul(c ^ (a >>> 18), 597399067);
  b = Math.imul(d ^ (b >>> 22), 2869860233);
  c = Math.imul(a ^ (c >>> 17), 951274213);
  d = Math.imul(b ^ (d >>> 19), 2716044179);
  return [a ^ b ^ c ^ d, b, c, d];
}

/** 32-bit generator over four lanes (the public-domain sfc32). */
function generator(text: string): () => number {
  let [a, b, c, counter] = lanesOf(text);
  return () => {
    const next = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + next;
    return next >>> 0;
  };
}

const WARM_UP_ROUNDS = 12;

function words(parts: readonly string[]): () => number {
  const next = generator(parts.join('\0'));
  for (let round = 0; round < WARM_UP_ROUNDS; round++) next();
  return next;
}

/** Returns a container id, 64 hex digits, derived from the parts. */
export function mintId(...parts: readonly string[]): string {
  const next = words(parts);
  return Array.from({ length: 8 }, () => next().toString(16).padStart(8, '0')).join('');
}

/** Returns a number in [0, 1) derived from the parts. */
export function fraction(...parts: readonly string[]): number {
  return words(parts)() / 2 ** 32;
}
