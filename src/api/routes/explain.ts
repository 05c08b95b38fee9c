import { z } from 'zod';
import { KINDS } from '../../model/resource.ts';
import { validate } from '../request-body.ts';
import { LISTS } from './queries.ts';
import { get, json, param, post, type Route, stream } from './route.ts';
import { count, flag, kind, settleMs, waitMs } from './schemas.ts';

const historyQuery = z.strictObject({ limit: count.default(100) });
export const eventQuery = z.strictObject({ follow: flag.default(false), sinceMs: count.nullable().default(null) });
export const rollbackBody = z.strictObject({
  generation: z.number().int().min(1),
  hold: z.boolean(),
  dryRun: z.boolean(),
  waitMs,
  settleMs,
});
const generation = z.object({ generation: count });

/** Why things are as they are, and back to how they were. */
export const explainRoutes: readonly Route[] = [
  get('/history', async ({ api, query }) =>
    json(await api.history(validate(historyQuery, { ...query }, 'query').limit)),
  ),
  get('/history/:generation/diff', async ({ api, params }) =>
    json(await api.historyDiff(validate(generation, { ...params }, 'path').generation)),
  ),
  post('/rollback', rollbackBody, ({ generation: n, ...options }, { api, signal, peerUid }) =>
    stream(api.rollback(n, { ...options, askedBy: peerUid() }, signal)),
  ),
  get('/why/:kind/:name', async (request) =>
    json(
      await request.api.why(
        validate(kind, param(request, 'kind'), `kind (${KINDS.join(', ')})`),
        param(request, 'name'),
      ),
    ),
  ),
  get('/events', ({ api, query, signal }) => stream(api.timeline(validate(eventQuery, { ...query }, 'query'), signal))),
  ...LISTS.map((list) => get(`/watch/${list}`, ({ api, signal }) => stream(api.watch(list, signal)))),
];
