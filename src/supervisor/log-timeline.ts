/** Writes timeline entries as lines of the supervisor's own log. */
import type { TimelineDraft } from '../model/status/timeline.ts';
import type { Logger } from './log.ts';

/** Ops have lines of their own, with the pass they belong to. */
const LOGGED_ELSEWHERE: ReadonlySet<TimelineDraft['kind']> = new Set(['op', 'start', 'drift']);

export function logTimelineEntry(log: Logger, { kind, key, what, generation, run, ok, cause, message }: TimelineDraft) {
  if (LOGGED_ELSEWHERE.has(kind)) return;
  const fields = { key, event: kind, what, generation, ...(run !== null && { run }), ...(cause !== '' && { cause }) };
  if (ok) log.info(fields, message);
  else log.warn(fields, message);
}
