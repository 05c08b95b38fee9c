import type { z } from 'zod';

/**
 * What it takes to bring a running container to a changed value: nothing but a call (`in-place`), a stop and a start
 * with the same writable layer and address (`restart`), or a new container (`recreate`).
 */
export type ChangeClass = 'in-place' | 'restart' | 'recreate';

export interface FieldMeta {
  /** One or two sentences for docs/manifest.md and for editors. */
  readonly doc: string;
  /** Defaults to `recreate`, so that forgetting it is safe. */
  readonly change?: ChangeClass;
  /** A value as it may be written. */
  readonly example?: unknown;
  /** Plain YAML scalars below this field are text as written: `1.10` stays `1.10`, `yes` and `true` stay words. */
  readonly text?: boolean;
}

const metaOfField = new WeakMap<z.core.$ZodType, FieldMeta & { readonly change: ChangeClass }>();

/** Declares a manifest field. Diff, hash, JSON Schema, docs and plan text derive from this one line. */
export function field<T extends z.ZodType>(schema: T, meta: FieldMeta): T {
  const documented = schema.meta({
    description: meta.doc,
    ...(meta.example !== undefined && { examples: [meta.example] }),
  }) as T;
  metaOfField.set(documented, { ...meta, change: meta.change ?? 'recreate' });
  return documented;
}

/** Change class of each top-level field of a kind's schema, by field name. */
export function changeClasses(schema: z.ZodObject): Readonly<Record<string, ChangeClass>> {
  return Object.fromEntries(
    Object.entries(schema.shape).map(([name, fieldSchema]) => [
      name,
      metaOfField.get(fieldSchema as z.core.$ZodType)?.change ?? 'recreate',
    ]),
  );
}

/** Documentation of a field, or undefined for a schema that was not declared with {@link field}. */
export function fieldMeta(schema: z.core.$ZodType): (FieldMeta & { change: ChangeClass }) | undefined {
  return metaOfField.get(schema);
}
