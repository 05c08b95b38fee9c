import { KINDS } from '../../model/resource.ts';
import { validate } from '../request-body.ts';
import type { ListName } from '../supervisor.ts';
import { API_LEVEL, VERSION } from '../version.ts';
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
  get('/version', () => json({ version: VERSION, api: API_LEVEL, node: process.version })),
  get('/info', ({ api }) => json(api.info())),
  get('/doctor', async ({ api }) => json(await api.doctor())),
  get('/approvals', ({ api }) => json(api.approvals())),
  ...LISTS.map((list) => get(`/${list}`, ({ api }) => json(api.list(list)))),
  get('/resources/:kind/:name', (request) =>
    json(
      request.api.describe(
        validate(kind, param(request, 'kind'), `kind (${KINDS.join(', ')})`),
        param(request, 'name'),
      ),
    ),
  ),
];
