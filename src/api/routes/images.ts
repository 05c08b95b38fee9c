import { z } from 'zod';
import { post, type Route, stream } from './route.ts';

const loadBody = z.strictObject({
  path: z.string().refine((path) => path.startsWith('/'), 'must be an absolute path on the host of the supervisor'),
});

export const imageRoutes: readonly Route[] = [
  post('/images/load', loadBody, ({ path }, { api, signal }) => stream(api.load(path, signal))),
];
