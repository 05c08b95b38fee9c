/** When the statements of a trust base are fetched by themselves (trust/trusts.go of Docker 1.4). Pure. */

const FIRST_MS = 1;
const USUAL_MS = 45_000;
const LONGEST_MS = 10 * USUAL_MS;
/** Of the time that is left, what is waited for. */
const PART = 0.8;

/**
 * After what is held was read.
 * @param expiresAtMs when the first statement ends; null without any. Unix ms
 */
export function waitWhileHeld(expiresAtMs: number | null, nowMs: number): number {
  if (expiresAtMs === null) return FIRST_MS;
  return expiresAtMs <= nowMs ? USUAL_MS : Math.round((expiresAtMs - nowMs) * PART);
}

/** After a fetch that failed. @param failures how many came one after the other, this one among them */
export function waitAfterFailure(failures: number): number {
  let wait = USUAL_MS;
  for (let failure = 0; failure < failures && wait < LONGEST_MS; failure++) wait = 1.5 * (wait + 1_000);
  return Math.min(wait, LONGEST_MS);
}
