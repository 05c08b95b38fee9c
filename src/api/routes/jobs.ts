import { get, json, type Route } from './route.ts';

/** The engine's jobs. Running one is a session. */
export const jobRoutes: readonly Route[] = [get('/jobs', ({ api }) => json(api.jobs.list()))];
