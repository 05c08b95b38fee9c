import { z } from 'zod';
import { finishing, get, json, param, post, type Route, stream } from './route.ts';
import { absolutePath } from './schemas.ts';

const texts = z.array(z.string());

export const saveBody = z.strictObject({
  images: texts.min(1),
  path: absolutePath,
  format: z.enum(['docker', 'oci', 'oci-layout']),
});
export const importBody = z.strictObject({ path: absolutePath, name: z.string(), changes: texts, message: z.string() });
const exportBody = z.strictObject({ path: absolutePath });
export const commitBody = z.strictObject({
  name: z.string(),
  changes: texts,
  message: z.string(),
  author: z.string(),
  config: z.record(z.string(), z.unknown()).optional(),
});
/** As a dry run answers it. */
const pruneView = z.strictObject({
  images: z.array(z.strictObject({ id: z.string(), tags: texts })),
  layers: z.array(z.strictObject({ id: z.string(), bytes: z.number() })),
  volumes: z.array(z.strictObject({ id: z.string(), name: z.string(), target: z.string(), bytes: z.number() })),
  copies: z.array(z.strictObject({ name: z.string(), bytes: z.number() })).default([]),
  buildCacheBytes: z.number(),
  bytes: z.number(),
});
export const pruneBody = z.strictObject({
  all: z.boolean(),
  volumes: z.boolean().default(false),
  dryRun: z.boolean(),
  listed: pruneView.nullable().default(null),
});

/** Images as files, changes of containers, the disk. */
export const imageFileRoutes: readonly Route[] = [
  finishing(post('/images/save', saveBody, (body, { api, signal }) => stream(api.imageFiles.save(body, signal)))),
  finishing(post('/images/import', importBody, (body, { api, signal }) => stream(api.imageFiles.import(body, signal)))),
  get('/images/tree', async ({ api }) => json(await api.imageFiles.tree())),
  finishing(
    post('/containers/:name/export', exportBody, ({ path }, request) =>
      stream(request.api.imageFiles.export(param(request, 'name'), path, request.signal)),
    ),
  ),
  finishing(
    post('/containers/:name/commit', commitBody, (body, request) =>
      stream(request.api.imageFiles.commit(param(request, 'name'), body, request.signal)),
    ),
  ),
  get('/containers/:name/changes', async (request) =>
    json(await request.api.imageFiles.changes(param(request, 'name'), request.signal)),
  ),
  get('/system/df', async ({ api }) => json(await api.imageFiles.diskUsage())),
  finishing(post('/system/prune', pruneBody, async (body, { api }) => json(await api.imageFiles.prune(body)))),
];
