import { z } from 'zod';
import { validate } from '../request-body.ts';
import { DONE, get, json, param, post, type Route, stream } from './route.ts';
import { count, flag, settleMs, waitMs } from './schemas.ts';

const nothing = z.strictObject({});
export const startBody = z.strictObject({ settleMs, waitMs: waitMs.optional() });
export const restartBody = z.strictObject({ timeoutMs: waitMs, settleMs, waitMs: waitMs.optional() });
const lasting = waitMs.refine((ms) => ms === null || ms > 0, 'must be more than 0');
export const stopBody = z.strictObject({ timeoutMs: waitMs, forMs: lasting.default(null) });
export const killBody = z.strictObject({ signal: z.string().min(1) });

export const logQuery = z.strictObject({
  follow: flag.default(false),
  tail: count.nullable().default(null),
  sinceMs: count.nullable().default(null),
  untilMs: count.nullable().default(null),
  stdout: flag.default(true),
  stderr: flag.default(true),
});

/** One container at a time, by name. */
export const containerRoutes: readonly Route[] = [
  post('/containers/:name/stop', stopBody, async ({ timeoutMs, forMs }, request) => {
    await request.api.stop(param(request, 'name'), timeoutMs, forMs, request.signal);
    return DONE;
  }),
  post('/containers/:name/start', startBody, async (options, request) =>
    json(await request.api.start(param(request, 'name'), options, request.signal)),
  ),
  post('/containers/:name/restart', restartBody, async ({ timeoutMs, ...options }, request) =>
    json(await request.api.restart(param(request, 'name'), timeoutMs, options, request.signal)),
  ),
  post('/containers/:name/kill', killBody, async ({ signal }, request) => {
    await request.api.kill(param(request, 'name'), signal);
    return DONE;
  }),
  post('/containers/:name/wait', nothing, async (_body, request) =>
    json({ exitCode: await request.api.wait(param(request, 'name'), request.signal) }),
  ),
  get('/containers/:name/logs', (request) => {
    const options = validate(logQuery, { ...request.query }, 'query');
    return stream(request.api.logs(param(request, 'name'), options, request.signal));
  }),
];
