/**
 * Reads JSON as Go's decoder does, which Docker's clients rely on: the case of keys does not count, null is absent, unknown
 * keys are ignored, and a text may stand for a list of one.
 */
import { z } from 'zod';
import { DockerError } from '../wire/docker-error.ts';

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An object with the members of `shape`; all of them may be absent. */
export function struct<Shape extends z.ZodRawShape>(shape: Shape) {
  const names = new Map(Object.keys(shape).map((name) => [name.toLowerCase(), name]));
  const known = (value: unknown): unknown => {
    if (!isObject(value)) return value;
    const found: Record<string, unknown> = {};
    for (const [key, member] of Object.entries(value)) {
      const name = names.get(key.toLowerCase());
      if (name !== undefined && member !== null) found[name] = member;
    }
    return found;
  };
  return z.preprocess(known, z.object(shape));
}

/** A member of an object whatever the case of its name; the last one counts. */
export function memberOf(object: Readonly<Record<string, unknown>>, name: string): unknown {
  const wanted = name.toLowerCase();
  return Object.entries(object).findLast(([key, value]) => key.toLowerCase() === wanted && value !== null)?.[1];
}

const orEmpty = z
  .string()
  .nullable()
  .transform((value) => value ?? '');

export const text = () => z.string().default('');
export const flag = () => z.boolean().default(false);
/** Numbers beyond those that JavaScript tells apart mean "no limit", whichever they are. */
const integer = z
  .number()
  .refine((value) => Number.isInteger(value), 'expected a whole number')
  .transform((value) => Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value)));
export const whole = () => integer.default(0);
export const wholeOrNull = () => integer.optional().transform((value) => value ?? null);
export const texts = () => z.array(orEmpty).default([]);
export const textMap = () => z.record(z.string(), orEmpty).default({});
/** Names of a mapping without values of interest: `{"80/tcp": {}}`. */
export const names = () =>
  z
    .record(z.string(), z.unknown())
    .default({})
    .transform((set) => Object.keys(set));
export const listOf = <T extends z.ZodType>(item: T) =>
  z
    .array(item.nullable())
    .default([])
    .transform((items) => items.filter((one) => one !== null));

/** Engines up to 28 take a text in the place of a list of one. */
const oneOrMany = z.union([z.array(orEmpty), z.string().transform((one) => [one])]);
export const words = () => oneOrMany.default([]);
/** Null where it is absent, which is not the empty list. */
export const wordsOrNull = () => oneOrMany.optional().transform((value) => value ?? null);

/** @throws DockerError 400 that names the member */
export function decode<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = issue?.path.join('.') ?? '';
  throw new DockerError(400, `invalid JSON: ${place === '' ? '' : `${place}: `}${issue?.message ?? 'not understood'}`);
}
