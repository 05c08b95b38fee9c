/** Docker 1.4's jobs on events. */
import type { Engine } from '../../engine/engine.ts';
import type { Job } from '../../engine/job.ts';
import type { JobSpec } from '../../engine/job-spec.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { DockerEvent, EventFeed } from './event-feed.ts';
import { usageHint } from './parameters.ts';

const EVENTS: JobSpec = {
  name: 'events',
  summary: 'gives events as Docker names them, those of the past and then those that come',
  env: {
    since: { text: 'from this time on, in seconds of Unix time; left out, what comes' },
    until: { text: 'up to this time; left out, until it is cancelled' },
  },
  stdout: 'a line of JSON for each: status, id, from, time',
};

const LOG: JobSpec = {
  name: 'log',
  summary: 'tells those who listen to events of one, and the timeline',
  args: 'STATUS ID [FROM]',
};

const SUBSCRIBERS: JobSpec = {
  name: 'subscribers_count',
  summary: 'says how many listen to events',
  stdout: 'a line of JSON: count',
};

export const EVENT_JOBS: readonly JobSpec[] = [EVENTS, LOG, SUBSCRIBERS];

export function registerEventJobs(engine: Engine, feed: EventFeed): void {
  engine.register(EVENTS, async (job) => {
    const [since, until] = [timeOf(job, 'since'), timeOf(job, 'until')];
    for await (const event of feed.events(since, until, job.signal)) await job.stdout.write(lineOf(event));
    job.signal.throwIfAborted();
    return undefined;
  });
  engine.register(LOG, (job) => {
    const [status, id, from = '', ...more] = job.args;
    if (status === undefined || id === undefined || more.length > 0 || /\s/.test(`${status}${id}${from}`)) {
      throw new TsdError('TSD_BAD_REQUEST', 'log needs STATUS and ID, without blanks', { hint: usageHint(LOG) });
    }
    feed.log(status, id, from);
    return undefined;
  });
  engine.register(SUBSCRIBERS, async (job) => {
    await job.stdout.write(`{"count":${feed.subscribers}}\n`);
    return undefined;
  });
}

/** In ms; null where it is not set. */
function timeOf(job: Job, name: string): number | null {
  const text = job.env.get(name);
  if (text === '') return null;
  const seconds = Number(text);
  if (Number.isFinite(seconds) && seconds >= 0) return seconds * 1000;
  throw new TsdError('TSD_BAD_REQUEST', `${name} is no time in seconds`, { hint: usageHint(job.spec) });
}

/** `from` is left out where it is empty, as Docker does. */
function lineOf({ status, id, from, atWallMs }: DockerEvent): string {
  const time = Math.floor(atWallMs / 1000);
  return `${JSON.stringify({ status, id, ...(from !== '' && { from }), time })}\n`;
}
