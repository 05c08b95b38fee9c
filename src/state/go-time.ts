/**
 * Times as Go writes them into JSON: RFC 3339 in UTC, up to nine fractional digits, trailing zeros trimmed. Records keep
 * the text, because nanoseconds do not fit a JavaScript Date.
 */

/** Go's zero time, which Docker writes for "never". */
export const ZERO_TIME = '0001-01-01T00:00:00Z';

const RFC3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d+))?(Z|[+-]\d{2}:\d{2})$/;

/** Unix milliseconds (fractions count) as Go text: `2014-12-16T08:00:00.1Z`. */
export function goTime(wallMs: number): string {
  const whole = Math.floor(wallMs);
  const nanos = Math.round((wallMs - whole) * 1e6);
  const [seconds = '', millis = ''] = new Date(whole).toISOString().slice(0, -1).split('.');
  const fraction = `${millis}${String(nanos).padStart(6, '0')}`.replace(/0+$/, '');
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}

/** Unix milliseconds of a Go time, or null for the zero time. The text must satisfy {@link isGoTime}. */
export function goTimeMs(text: string): number | null {
  if (text === ZERO_TIME) return null;
  const match = RFC3339.exec(text);
  if (match === null) return null;
  return Date.parse(`${match[1]}${match[3]}`) + Number(`0.${match[2] ?? '0'}`) * 1000;
}

/** What Go's time.Time accepts from JSON. */
export function isGoTime(text: string): boolean {
  const match = RFC3339.exec(text);
  return match !== null && !Number.isNaN(Date.parse(`${match[1]}${match[3]}`));
}
