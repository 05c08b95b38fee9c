import { createHash } from 'node:crypto';
import type { SpecOfKind } from '../model/desired.ts';
import { KIND_SCHEMAS } from '../model/kinds/kinds.ts';
import type { Kind } from '../model/resource.ts';

/** The least that can be written of a kind; what comes out besides it are the defaults. */
const MINIMAL: { readonly [K in Kind]: unknown } = {
  image: { host: ['sh'] },
  volume: {},
  network: {},
  container: { image: 'none' },
};

/** Members without a default: they always count. */
const REQUIRED: ReadonlySet<string> = new Set(['image', 'source']);

const defaults = new Map<Kind, Readonly<Record<string, unknown>>>();

function defaultsOf(kind: Kind): Readonly<Record<string, unknown>> {
  let known = defaults.get(kind);
  if (!known) {
    known = { ...KIND_SCHEMAS[kind].schema.parse(MINIMAL[kind]) };
    defaults.set(kind, known);
  }
  return known;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** JSON with the keys of every object in bytewise order: equal data gives equal text. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? 'null';
  const members = Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`);
  return `{${members.join(',')}}`;
}

/** Same data? Order of keys does not count. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => same(item, b[index]));
  if (!isObject(a) || !isObject(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && same(a[key], b[key]));
}

/** The value without members that equal their default, so that a field added later changes no hash. */
function withoutDefaults(value: unknown, standard: unknown): unknown {
  if (!isObject(value) || !isObject(standard)) return value;
  const kept: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) {
    if (!same(member, standard[key] ?? null)) kept[key] = withoutDefaults(member, standard[key]);
  }
  return kept;
}

/**
 * sha256 hex over the normalised spec without values equal to their default, and over the content it refers to.
 * @param contentHashes by path as written.
 */
export function specHash<K extends Kind>(
  kind: K,
  spec: SpecOfKind[K],
  contentHashes: Readonly<Record<string, string>> = {},
): string {
  const standard = Object.fromEntries(Object.entries(defaultsOf(kind)).filter(([key]) => !REQUIRED.has(key)));
  const content = Object.keys(contentHashes).length === 0 ? {} : { content: contentHashes };
  const counted = canonicalJson({ kind, spec: withoutDefaults(spec, standard), ...content });
  return createHash('sha256').update(counted).digest('hex');
}
