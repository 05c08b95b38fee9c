/** Bodies as Go reads them: the case of keys does not matter, null means left out, unknown keys are ignored. */
import type { z } from 'zod';
import { DockerError } from '../wire/docker-error.ts';

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param body undefined for none, which is an empty one. @throws DockerError 400 */
export function fieldsOf<S extends z.ZodRawShape>(schema: z.ZodObject<S>, body: unknown): z.infer<z.ZodObject<S>> {
  if (body !== undefined && !isObject(body)) throw new DockerError(400, 'invalid JSON: the body is no object');
  const names = new Map(Object.keys(schema.shape).map((name) => [name.toLowerCase(), name]));
  const read = Object.entries(body ?? {}).flatMap(([key, value]) => {
    const name = names.get(key.toLowerCase());
    return name === undefined || value === null ? [] : [[name, value] as const];
  });
  const parsed = schema.safeParse(Object.fromEntries(read));
  if (parsed.success) return parsed.data as z.infer<z.ZodObject<S>>;
  const [issue] = parsed.error.issues;
  throw new DockerError(400, `invalid JSON: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not understood'}`);
}
