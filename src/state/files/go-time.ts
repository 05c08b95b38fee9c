/**
 * Times as Go writes them into JSON: RFC 3339 in UTC, up to nine fractional digits, trailing zeros trimmed. Records keep
 * the text, because nanoseconds do not fit a JavaScript Date.
 */

/** Go's zero time, which Docker writes for "never". */
export const ZERO_TIME = '0001-01-01T00:00:00Z';

const RFC3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})$/;

/** What Go's time.Time accepts from JSON. */
export function isGoTime(text: string): boolean {
  const match = RFC3339.exec(text);
  return match !== null && !Number.isNaN(Date.parse(`${match[1]}${match[3]}`));
}
