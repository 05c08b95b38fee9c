/** Describes a running job for a log, without secrets. */
import { formatTime, type Instant } from '../model/clock.ts';
import type { Job } from './job.ts';

export interface JobDump {
  readonly job: string;
  readonly env: readonly string[];
  readonly since: string | null;
  readonly ms: number;
  /** The stage its handler last reported; null before the first report. */
  readonly stage: string | null;
  readonly calledOff: boolean;
}

export function dumpOf(job: Job, now: Instant): JobDump {
  const { began, shownEnv: env, stage, isCancelled: calledOff } = job;
  const since = began === null ? null : formatTime(began.wallMs);
  return { job: String(job), env, since, ms: Math.round(job.ms(now)), stage, calledOff };
}
