import { z } from 'zod';
import { finishing, json, post, type Route, stream } from './route.ts';
import { kind, manifests, settleMs, waitMs } from './schemas.ts';

export const applyBody = z.strictObject({
  manifests,
  dryRun: z.boolean(),
  waitMs,
  settleMs,
  refresh: z.boolean().optional(),
  noCache: z.boolean().optional(),
});
const manifestsBody = z.strictObject({ manifests });
export const removeBody = z.strictObject({
  files: manifests,
  resources: z.array(z.strictObject({ kind, name: z.string() })),
  all: z.boolean(),
  waitMs,
});
const approveBody = z.strictObject({ names: z.array(z.string()) });

/** What people want, and what it would take. */
export const manifestRoutes: readonly Route[] = [
  post('/apply', applyBody, ({ manifests, ...options }, { api, signal, peerUid }) =>
    stream(api.apply(manifests, { ...options, askedBy: peerUid() }, signal)),
  ),
  post('/plan', manifestsBody, async (body, { api }) => json(await api.plan(body.manifests))),
  post('/diff', manifestsBody, async (body, { api }) => json(await api.diff(body.manifests))),
  post('/remove', removeBody, (body, { api, signal, peerUid }) =>
    stream(api.remove({ ...body, askedBy: peerUid() }, signal)),
  ),
  finishing(post('/host-shutdown', z.strictObject({}), async (_body, { api }) => json(await api.hostShutdown()))),
  finishing(
    post('/reset', z.strictObject({ volumes: z.boolean() }), async (body, { api }) => json(await api.reset(body))),
  ),
  post('/approve', approveBody, async (body, { api, peerUid }) => json(await api.approve(body.names, peerUid()))),
];
