/** Checks JSON bodies against schemas. */
import type { z } from 'zod';
import { DockerError } from './docker-error.ts';

/** @throws DockerError 400 with the place of the first thing that is wrong */
export function parseAs<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new DockerError(400, `invalid JSON: ${[...(issue?.path ?? []), issue?.message ?? 'unknown'].join(': ')}`);
}
