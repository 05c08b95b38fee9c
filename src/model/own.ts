/**
 * A member of a mapping whose names come from people; undefined where it has none of that name, also for `constructor`,
 * `toString` and what else every object inherits.
 */
export function own<T>(mapping: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(mapping, name) ? mapping[name] : undefined;
}
