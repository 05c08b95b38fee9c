import { KINDS } from '../../model/resource.ts';
import { validate } from '../request-body.ts';
import type { ListName } from '../views/resource-views.ts';

import { get, json, param, type Route } from './route.ts';
import { kind } from './schemas.ts';

export const LISTS = [
  'containers',
  'images',
  'volumes',
  'networks',
  'manifests',
] as const satisfies readonly ListName[];

/** What is: nothing here changes anything. */
export const queryRoutes: readonly Route[] = [
  get('/version', async ({ api }) => json(await api.version())),
  get('/info', async ({ api }) => json(await api.info())),
  get('/doctor', async ({ api }) => json(await api.doctor())),
  get('/approvals', async ({ api }) => json(await api.approvals())),
  ...LISTS.map((list) => get(`/${list}`, async ({ api }) => json(await api.list(list)))),
  get('/resources/:kind/:name', async (request) =>
    json(
      await request.api.describe(
        validate(kind, param(request, 'kind'), `kind (${KINDS.join(', ')})`),
        param(request, 'name'),
      ),
    ),
  ),
];
