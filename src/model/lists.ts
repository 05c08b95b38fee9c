/**
 * Long lists without spreading them into a call: a function's arguments stand on the stack, and some hundred thousand of them
 * are more than it holds (RangeError). Pure.
 */

/** As `to.push(...more)`, for any number of items. */
export function append<T>(to: T[], more: Iterable<T>): void {
  for (const item of more) to.push(item);
}

/** As `Math.max(...numbers)`, for any number of them. @param least given when none is larger */
export function largest(numbers: Iterable<number>, least = Number.NEGATIVE_INFINITY): number {
  let found = least;
  for (const number of numbers) if (number > found) found = number;
  return found;
}

/** As `Math.min(...numbers)`, for any number of them. @param most given when none is smaller */
export function smallest(numbers: Iterable<number>, most = Number.POSITIVE_INFINITY): number {
  let found = most;
  for (const number of numbers) if (number < found) found = number;
  return found;
}
