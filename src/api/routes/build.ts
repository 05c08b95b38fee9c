import { z } from 'zod';
import { NETWORK_MODES, PERMISSIONS } from '../images/build.ts';
import { login } from './registries.ts';
import { post, type Route, stream } from './route.ts';
import { absolutePath, noZeroByte } from './schemas.ts';

const texts = z.record(z.string(), z.string());

const amount = z.int().nullable();
const limits = z.strictObject({
  memoryBytes: amount,
  memorySwapBytes: amount,
  cpus: z.number().positive().nullable(),
  cpuShares: amount,
  cpuset: z.string().nullable(),
  shmBytes: amount,
  ulimits: z.record(z.string(), z.strictObject({ soft: z.int(), hard: z.int() })),
});

export const buildBody = z.strictObject({
  context: z.strictObject({ type: z.enum(['directory', 'archive']), path: absolutePath }).nullable(),
  dockerfile: noZeroByte.min(1),
  dockerfileText: z.string().nullable(),
  contexts: z.record(
    z.string(),
    noZeroByte.refine(
      (where) => /^(\/|docker-image:\/\/)/.test(where),
      'must be an absolute path or docker-image://NAME',
    ),
  ),
  tags: z.array(z.string()),
  args: texts,
  labels: texts,
  target: z.string().nullable(),
  platform: z.string().nullable(),
  network: z.enum(NETWORK_MODES),
  allow: z.array(z.enum(PERMISSIONS)).optional(),
  noCache: z.boolean(),
  limits: limits.optional(),
  extraHosts: z.array(z.string()).optional(),
  pull: z.boolean().optional(),
  logins: z.record(z.string(), login).optional(),
  secrets: z.record(z.string(), absolutePath),
});

export const buildRoutes: readonly Route[] = [
  post('/build', buildBody, (body, { api, signal }) => stream(api.builds.build(body, signal))),
];
