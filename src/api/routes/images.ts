import { z } from 'zod';
import { post, type Route, stream } from './route.ts';
import { absolutePath } from './schemas.ts';

const loadBody = z.strictObject({
  path: absolutePath,
});

export const imageRoutes: readonly Route[] = [
  post('/images/load', loadBody, ({ path }, { api, signal }) => stream(api.load(path, signal))),
];
