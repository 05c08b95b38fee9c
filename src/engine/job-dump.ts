/** What is known of a job that runs, for a log: nothing of it is secret. */
import { formatTime, type Instant } from '../model/clock.ts';
import type { Job } from './job.ts';

export interface JobDump {
  readonly job: string;
  readonly env: readonly string[];
  readonly since: string | null;
  readonly ms: number;
  /** As its handler last said; null when it said nothing. */
  readonly stage: string | null;
  readonly calledOff: boolean;
}

export function dumpOf(job: Job, now: Instant): JobDump {
  const { began, shownEnv: env, stage, isCancelled: calledOff } = job;
  const since = began === null ? null : formatTime(began.wallMs);
  return { job: String(job), env, since, ms: Math.round(job.ms(now)), stage, calledOff };
}
