import { z } from 'zod';
import type { JobRequest } from '../jobs.ts';
import { validate } from '../request-body.ts';
import type { AttachRequest, ExecRequest } from '../requests.ts';
import type { ServedApi } from '../served.ts';
import type { LiveSession } from '../session-server.ts';
import { noZeroByte } from './schemas.ts';

/** A route that is upgraded to frames. */
export interface SessionRoute {
  /** Below the API's prefix, with `:name` for the container or job. */
  readonly path: string;
  /** @param open the client's `open` frame. */
  readonly start: (api: ServedApi, name: string, open: unknown) => Promise<LiveSession>;
}

export const execRequest = z.strictObject({
  argv: z.array(noZeroByte).min(1),
  env: z.array(noZeroByte),
  cwd: noZeroByte.nullable(),
  user: noZeroByte,
  tty: z.boolean(),
  stdin: z.boolean(),
}) satisfies z.ZodType<ExecRequest>;

const attachRequest = z.strictObject({ stdin: z.boolean() }) satisfies z.ZodType<AttachRequest>;

/** A vanished client is a hang-up for a command with a terminal; one without continues unwatched, as under Docker. */
const exec: SessionRoute = {
  path: '/containers/:name/exec',
  start: async (api, name, open) => {
    const request = validate(execRequest, open, 'open');
    const session = await api.exec(name, request);
    return { session, tty: request.tty, stdin: request.stdin, hangUp: request.tty };
  },
};

/** The container was there before its client, and stays. */
const attach: SessionRoute = {
  path: '/containers/:name/attach',
  start: async (api, name, open) => {
    const request = validate(attachRequest, open, 'open');
    const session = await api.attach(name);
    return { session, tty: session.tty, stdin: request.stdin && session.stdin !== null, hangUp: false };
  },
};

const jobRequest = z.strictObject({
  args: z.array(noZeroByte),
  env: z.record(noZeroByte, noZeroByte),
  stdin: z.boolean(),
}) satisfies z.ZodType<JobRequest>;

/** A vanished client calls its job off. */
const job: SessionRoute = {
  path: '/jobs/:name/run',
  start: async (api, name, open) => {
    const request = validate(jobRequest, open, 'open');
    return { session: api.jobs.run(name, request), tty: false, stdin: request.stdin, hangUp: true };
  },
};

export const sessionRoutes: readonly SessionRoute[] = [exec, attach, job];
