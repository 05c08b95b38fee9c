/** What the API shows of the engine's jobs, and how it runs one by name. */
import { PassThrough } from 'node:stream';
import type { JobRequest, JobsApi, JobsView, JobView, RunningJobView } from '../../api/jobs.ts';
import type { Caller } from '../../api/served.ts';
import type { StdioSession } from '../../drivers/contract/exec.ts';
import type { Engine } from '../../engine/engine.ts';
import type { Job } from '../../engine/job.ts';
import type { JobSpec } from '../../engine/job-spec.ts';
import { type Clock, formatTime, type Instant } from '../../model/clock.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { asker } from '../requests/actors.ts';
import { refuseUndeclared } from './declared.ts';
import { chunksOf, openJob } from './job-session.ts';

export class JobList implements JobsApi {
  readonly #engine: Engine;
  readonly #clock: Clock;
  readonly #caller: Caller;

  constructor(engine: Engine, clock: Clock, caller: Caller) {
    this.#engine = engine;
    this.#clock = clock;
    this.#caller = caller;
  }

  list(): JobsView {
    const now = this.#clock.now();
    return {
      jobs: this.#engine.specs().map(jobView),
      running: this.#engine.jobs().map((job) => runningView(job, now)),
    };
  }

  run(name: string, { args, env, stdin: isFed }: JobRequest): StdioSession {
    if (name.trim() === '') {
      throw new TsdError('TSD_BAD_REQUEST', 'the name of the job is empty', {
        hint: '`tsdocker jobs` lists all jobs.',
      });
    }
    const spec = this.#engine.spec(name);
    if (spec?.instead !== undefined) {
      throw new TsdError('TSD_BAD_REQUEST', `only the supervisor runs the job ${name}`, { hint: spec.instead });
    }
    if (spec !== null) refuseUndeclared(spec, args, env);
    const stdin = isFed ? new PassThrough() : null;
    const { uid, signal } = this.#caller;
    const job = this.#engine.job(name, args, {
      env,
      signal,
      by: { uid },
      ...(stdin !== null && { stdin: chunksOf(stdin) }),
    });
    return openJob(job, stdin);
  }
}

function jobView({ name, summary, args = '', env = {}, stdin = '', stdout = '', ...spec }: JobSpec): JobView {
  const variables = Object.entries(env).map(([variable, { text, secret }]) => ({
    name: variable,
    text,
    secret: secret === true,
  }));
  return { name, summary, args, env: variables, stdin, stdout, instead: spec.instead ?? null };
}

function runningView(job: Job, now: Instant): RunningJobView {
  return {
    name: job.name,
    args: job.shownArgs,
    env: job.shownEnv,
    since: formatTime(job.began?.wallMs ?? now.wallMs),
    ms: Math.round(job.ms(now)),
    by: asker(job.by?.uid),
    calledOff: job.isCancelled,
  };
}
