import { z } from 'zod';
import { finishing, post, type Route, stream } from './route.ts';
import { absolutePath } from './schemas.ts';

const loadBody = z.strictObject({
  path: absolutePath,
});

export const imageRoutes: readonly Route[] = [
  finishing(post('/images/load', loadBody, ({ path }, { api, signal }) => stream(api.load(path, signal)))),
];
