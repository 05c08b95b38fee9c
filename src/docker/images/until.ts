/** The filter `until` of prunes: a moment, or how long ago. */
import { DockerError } from '../wire/docker-error.ts';

const UNITS: Readonly<Record<string, number>> = {
  h: 3_600_000,
  m: 60_000,
  s: 1_000,
  ms: 1,
  us: 1e-3,
  µs: 1e-3,
  ns: 1e-6,
};
const DURATION = /^(?:(?:\d+(?:\.\d+)?)(?:h|ms|m|s|us|µs|ns))+$/;

/** Unix ms; null where nothing is asked. @throws DockerError 400 */
export function untilOf(values: readonly string[], nowMs: number): number | null {
  const [text, ...more] = values;
  if (text === undefined) return null;
  if (more.length > 0) throw new DockerError(400, 'more than one until filter specified');
  if (DURATION.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)];
    return nowMs - parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? ''] ?? 0), 0);
  }
  const moment = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(moment)) throw new DockerError(400, `invalid filter 'until=[${text}]'`);
  return moment;
}
