/** Compares answers by their shape: which members there are, and of which types. */

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

const typeOf = (value: Json): string => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value);

/** Members whose names people or the daemon choose. */
const MAPS =
  /(?:^|\.)(?:Labels|Options|Networks|Ports|PortBindings|ExposedPorts|Volumes|Containers|Tmpfs|Sysctls|Annotations|LogConfig\.Config|DriverOpts|GraphDriver\.Data)$/;

/** Differences to the one of ours that has the fewest: a daemon gives lists and mappings in an order of its own. */
function fewest(theirs: Json, ours: readonly Json[], path: string): string[] {
  const all = ours.map((one) => shapeDifferences(theirs, one, path));
  return all.reduce((best, one) => (one.length < best.length ? one : best), all[0] ?? []);
}

/**
 * Members of an answer that another lacks or has in another type, as `path: type, not type`.
 * @param theirs of the daemon that is the measure
 */
export function shapeDifferences(theirs: Json, ours: Json | undefined, path = ''): string[] {
  if (ours === undefined) return [`${path}: ${typeOf(theirs)}, not there`];
  if (typeOf(theirs) !== typeOf(ours)) return [`${path}: ${typeOf(theirs)}, not ${typeOf(ours)}`];
  if (Array.isArray(theirs)) {
    const all = (theirs as readonly Json[]).flatMap((item) => fewest(item, ours as readonly Json[], `${path}[]`));
    return [...new Set(all)];
  }
  if (typeof theirs !== 'object' || theirs === null) return [];
  const mine = ours as { readonly [name: string]: Json };
  const its = theirs as { readonly [name: string]: Json };
  if (MAPS.test(path)) {
    return [...new Set(Object.values(its).flatMap((value) => fewest(value, Object.values(mine), `${path}.*`)))];
  }
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`);
  return Object.entries(its).flatMap(([name, value]) => shapeDifferences(value, mine[name], below(name)));
}
