/** All routes of the Docker API. */
import type { DockerRoute } from '../wire/route.ts';
import { archiveRoutes } from './archive.ts';
import { attachRoutes } from './attach.ts';
import { containerViewRoutes } from './container-views.ts';
import { createRoutes } from './create.ts';
import { diskUsageRoutes } from './disk-usage.ts';
import { elsewhereRoutes } from './elsewhere.ts';
import { eventRoutes } from './events.ts';
import { execRoutes } from './exec.ts';
import { imageViewRoutes } from './image-views.ts';
import { imageRoutes } from './images.ts';
import { insideRoutes } from './inside.ts';
import { lifecycleRoutes } from './lifecycle.ts';
import { logRoutes } from './logs.ts';
import { networkChangeRoutes } from './network-changes.ts';
import { networkMemberRoutes } from './network-members.ts';
import { networkViewRoutes } from './network-views.ts';
import { systemRoutes } from './system.ts';
import { updateRoutes } from './update.ts';
import { volumeChangeRoutes } from './volume-changes.ts';
import { volumeViewRoutes } from './volume-views.ts';

export const ROUTES: readonly DockerRoute[] = [
  ...createRoutes,
  ...updateRoutes,
  ...networkChangeRoutes,
  ...networkMemberRoutes,
  ...volumeChangeRoutes,
  ...systemRoutes,
  ...lifecycleRoutes,
  ...logRoutes,
  ...execRoutes,
  ...imageRoutes,
  ...containerViewRoutes,
  ...imageViewRoutes,
  ...networkViewRoutes,
  ...volumeViewRoutes,
  ...attachRoutes,
  ...eventRoutes,
  ...archiveRoutes,
  ...insideRoutes,
  ...diskUsageRoutes,
  ...elsewhereRoutes,
];
