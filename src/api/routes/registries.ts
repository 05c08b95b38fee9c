import { z } from 'zod';
import { validate } from '../request-body.ts';
import { DONE, finishing, get, json, post, type Route, stream } from './route.ts';

export const login = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('password'), username: z.string().min(1), password: z.string() }),
  z.strictObject({ type: z.literal('identity-token'), token: z.string().min(1) }),
]);
export const credentials = login.nullable();
const reference = z.string().min(1);

export const pullBody = z.strictObject({ reference, platform: z.string().nullable(), credentials });
export const pushBody = z.strictObject({ reference, credentials });
export const loginBody = z.strictObject({ registry: z.string().min(1), credentials: login });
const tagsBody = z.strictObject({ reference, credentials });
export const searchBody = z.strictObject({ registry: z.string().min(1).nullable(), term: z.string(), credentials });
const tagBody = z.strictObject({ image: reference, name: reference, force: z.boolean() });
const removeBody = z.strictObject({ image: reference, force: z.boolean() });
const historyQuery = z.strictObject({ image: reference });

/** Registries, and the names of images. */
export const registryRoutes: readonly Route[] = [
  post('/images/pull', pullBody, (body, { api, signal }) => stream(api.registry.pull(body, signal))),
  finishing(post('/images/push', pushBody, (body, { api, signal }) => stream(api.registry.push(body, signal)))),
  finishing(
    post('/images/tag', tagBody, async ({ image, name, force }, { api }) => {
      await api.registry.tag(image, name, force);
      return DONE;
    }),
  ),
  finishing(post('/images/remove', removeBody, async (body, { api }) => json(await api.registry.removeImage(body)))),
  get('/images/history', async ({ api, query }) =>
    json(await api.registry.imageHistory(validate(historyQuery, { ...query }, 'query').image)),
  ),
  post('/registry/login', loginBody, async (body, { api, signal }) => {
    await api.registry.checkLogin(body, signal);
    return DONE;
  }),
  post('/registry/tags', tagsBody, async (body, { api, signal }) =>
    json(await api.registry.tags(body.reference, body.credentials, signal)),
  ),
  post('/registry/distribution', tagsBody, async (body, { api, signal }) =>
    json(await api.registry.distribution(body.reference, body.credentials, signal)),
  ),
  post('/registry/search', searchBody, async (body, { api, signal }) => json(await api.registry.search(body, signal))),
];
