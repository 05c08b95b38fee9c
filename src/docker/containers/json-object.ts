/** JSON of requests, read without a word about what it lacks: its form was checked when it came. Pure. */
import type { JsonValue } from '../../model/json.ts';

export type JsonObject = { readonly [name: string]: JsonValue };

export const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Empty for anything else. */
export const memberOf = (value: JsonValue | undefined): JsonObject => (isObject(value) ? value : {});

export const objectAt = (object: JsonObject, name: string): JsonObject => memberOf(object[name]);

export function textsAt(object: JsonObject, name: string): readonly string[] {
  const value = object[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

/** Clients may write names of members in any case. */
export function canonical(object: JsonObject, names: readonly string[]): JsonObject {
  const known = new Map(names.map((name) => [name.toLowerCase(), name]));
  return Object.fromEntries(
    Object.entries(object).map(([name, value]) => [known.get(name.toLowerCase()) ?? name, value]),
  );
}
