/** From what zod found to issues with positions and plain words. */
import type { z } from 'zod';
import { KIND_SCHEMAS } from '../model/kinds/kinds.ts';
import type { Kind } from '../model/resource.ts';
import type { ManifestIssue } from './issue.ts';
import type { Path, Places } from './plain.ts';
import { unknownKey } from './unknown-keys.ts';

interface Subject {
  readonly kind: Kind;
  readonly name: string;
  /** The value that was checked, as written. */
  readonly written: unknown;
  /** Path of that value in its document. */
  readonly at: Path;
  readonly places: Places;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
};

function typeName(value: unknown): string {
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return TYPE_NAMES[typeof value] ?? typeof value;
}

function valueAt(value: unknown, path: Path): unknown {
  let current = value;
  for (const part of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = (current as Record<string | number, unknown>)[part];
  }
  return current;
}

/** `ports[0]`, `resources.memory`; empty for the resource itself. */
function label(path: Path): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? part : `${text}.${part}`),
    '',
  );
}

type ZodIssue = z.core.$ZodIssue;

/** Words for a value that is not one of a list; a field with words of its own keeps those. */
export const valueWords: z.core.$ZodErrorMap = (issue) =>
  issue.code === 'invalid_value' ? `expected ${issue.values.map(String).join(' or ')}` : undefined;

/** The alternative of a union that the value was most likely meant for: the one that did not refuse its type as a whole. */
function likelyBranch(
  issue: Extract<ZodIssue, { code: 'invalid_union' }>,
  found: unknown,
): readonly ZodIssue[] | undefined {
  const refusesType = (inner: ZodIssue) =>
    inner.path.length === 0 &&
    (inner.code === 'invalid_type' ||
      inner.code === 'invalid_union' ||
      // A list of words refuses a mapping as a whole too.
      (inner.code === 'invalid_value' && typeof found === 'object'));
  const likely = issue.errors.filter((branch) => !branch.some(refusesType));
  return likely.length === 1 ? likely[0] : undefined;
}

function describe(issue: ZodIssue, found: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${TYPE_NAMES[issue.expected] ?? issue.expected}, found ${typeName(found)}`;
    case 'too_small':
      if (issue.origin === 'string' || issue.origin === 'array') return 'cannot be empty';
      return `expected at least ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'string'
        ? `has more than ${issue.maximum} characters`
        : `expected at most ${issue.maximum}`;
    case 'invalid_union':
      return `${issue.message}, found ${typeName(found)}`;
    default:
      return issue.message;
  }
}

/** The parts of zod's definitions that lead from a value to what is inside it; zod types them one schema class each. */
interface Definition {
  readonly type: string;
  readonly in?: z.core.$ZodType;
  readonly innerType?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
  readonly element?: z.core.$ZodType;
  readonly keyType?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly entries?: Readonly<Record<string, string>>;
}

/** zod types what all schemas have; each class has some of these besides. */
const definition = (schema: z.core.$ZodType): Definition => schema._zod.def as unknown as Definition;

/** Definitions of the lists and mappings a schema accepts, without defaults, transformations and alternatives around them. */
function collections(schema: z.core.$ZodType): Definition[] {
  const def = definition(schema);
  if (def.type === 'union') return (def.options ?? []).flatMap(collections);
  const inner = def.in ?? def.innerType;
  return inner ? collections(inner) : [def];
}

/** Keys that can appear in the mapping at a path. */
function knownKeys(schema: z.core.$ZodType, path: Path): readonly string[] {
  const [first, ...rest] = path;
  return collections(schema).flatMap((def) => {
    if (first === undefined) return Object.keys(def.shape ?? (def.keyType && definition(def.keyType).entries) ?? {});
    const inner = def.shape?.[String(first)] ?? def.element ?? def.valueType;
    return inner ? knownKeys(inner, rest) : [];
  });
}

function translate(issue: ZodIssue, outer: Path, subject: Subject): ManifestIssue[] {
  const path = [...outer, ...(issue.path as (string | number)[])];
  const at = [...subject.at, ...path];
  const name = label(path);
  const where = name === '' ? `${subject.kind} ${subject.name}` : name;
  if (issue.code === 'unrecognized_keys') {
    const scope = path.length === 0 ? subject.kind : 'nested';
    const known = knownKeys(KIND_SCHEMAS[subject.kind].fields, path);
    return issue.keys.map((key) => unknownKey(key, scope, known, where, subject.places.find([...at, key]).key));
  }
  if (issue.code === 'invalid_union') {
    const branch = likelyBranch(issue, valueAt(subject.written, path));
    if (branch) return branch.flatMap((inner) => translate(inner, path, subject));
  }
  const position = subject.places.find(at);
  if (issue.code === 'invalid_key') {
    const message = issue.issues.map((inner) => inner.message).join('; ');
    return [{ code: 'TSD_MANIFEST_SCHEMA', message: `${where}: ${message}`, position: position.key }];
  }
  const found = valueAt(subject.written, path);
  const missing = issue.code === 'invalid_type' && found === undefined;
  const message = missing ? `${subject.kind} ${subject.name} has no ${name}` : `${where}: ${describe(issue, found)}`;
  return [{ code: 'TSD_MANIFEST_SCHEMA', message, position: position.value }];
}

/** All issues of one resource. */
export function schemaIssues(error: z.ZodError, subject: Subject): ManifestIssue[] {
  const issues = error.issues.flatMap((issue) => translate(issue, [], subject));
  // A field of a later version may be the very one whose absence the issue of the whole reports.
  const later = issues.some(({ code }) => code === 'TSD_NOT_IN_THIS_VERSION');
  const whole = subject.places.find(subject.at).value;
  return later ? issues.filter(({ code, position }) => code !== 'TSD_MANIFEST_SCHEMA' || position !== whole) : issues;
}
