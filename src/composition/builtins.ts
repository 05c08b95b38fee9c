/** Every job there is: one table of modules, each of which registers what it owns. docs/jobs.md is written from it. */
import type { SupervisorApi } from '../api/supervisor.ts';
import { COMMANDS_JOB, type Engine } from '../engine/engine.ts';
import type { JobSpec } from '../engine/job-spec.ts';
import { OP_JOBS } from '../reconcile/op-jobs.ts';
import { COLLECT_JOB } from '../supervisor/images/collector.ts';
import type { EventFeed } from '../supervisor/jobs/event-feed.ts';
import { EVENT_JOBS, registerEventJobs } from '../supervisor/jobs/event-jobs.ts';
import {
  IMAGE_JOBS,
  registerImageJobs,
  registerSupervisorJobs,
  SUPERVISOR_JOBS,
} from '../supervisor/jobs/facade-jobs.ts';
import { NETWORK_JOBS } from '../supervisor/jobs/network-jobs.ts';
import { registerServeJobs, SERVE_JOBS, type ServeJobsParts } from '../supervisor/jobs/serve-jobs.ts';
import { registerUnknownJob } from '../supervisor/jobs/unknown-job.ts';
import { registerVersionJob, VERSION_JOB } from '../supervisor/jobs/version-job.ts';
import { TRUST_JOBS } from '../supervisor/requests/trust-jobs.ts';

export interface BuiltinParts {
  readonly engine: Engine;
  readonly api: SupervisorApi;
  readonly feed: EventFeed;
  readonly serving: ServeJobsParts;
}

interface JobModule {
  readonly title: string;
  readonly jobs: readonly JobSpec[];
  /** Absent when the part that runs them registers them at its creation. */
  readonly register?: (parts: BuiltinParts) => void;
}

export const BUILTINS: readonly JobModule[] = [
  {
    title: 'What is wanted and what runs',
    jobs: SUPERVISOR_JOBS,
    register: ({ engine, api }) => registerSupervisorJobs(engine, api),
  },
  {
    title: 'Images and registries',
    jobs: IMAGE_JOBS,
    register: ({ engine, api }) => registerImageJobs(engine, api),
  },
  { title: 'The engine', jobs: [COMMANDS_JOB] },
  {
    title: 'Events',
    jobs: EVENT_JOBS,
    register: ({ engine, feed }) => registerEventJobs(engine, feed),
  },
  {
    title: 'Serving the API',
    jobs: SERVE_JOBS,
    register: ({ engine, serving }) => registerServeJobs(engine, serving),
  },
  { title: 'Versions', jobs: [VERSION_JOB], register: ({ engine }) => registerVersionJob(engine) },
  { title: 'The default bridge', jobs: NETWORK_JOBS },
  { title: 'Trust', jobs: TRUST_JOBS },
  { title: 'Collection', jobs: [COLLECT_JOB] },
  { title: 'Ops of plans', jobs: OP_JOBS },
];

export function registerBuiltins(parts: BuiltinParts): void {
  for (const { register } of BUILTINS) register?.(parts);
  registerUnknownJob(parts.engine);
}
