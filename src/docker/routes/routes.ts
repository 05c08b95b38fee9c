/** All routes of the Docker API. */
import type { DockerRoute } from '../wire/route.ts';
import { elsewhereRoutes } from './elsewhere.ts';
import { systemRoutes } from './system.ts';

export const ROUTES: readonly DockerRoute[] = [...systemRoutes, ...elsewhereRoutes];
