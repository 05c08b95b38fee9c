import type { z } from 'zod';
import type { SpecOfKind } from '../desired.ts';
import { type ChangeClass, changeClasses, fieldMeta } from '../field.ts';
import { own } from '../own.ts';
import type { Kind } from '../resource.ts';
import { containerFields, containerSchema } from './container.ts';
import { healthFields } from './health-forms.ts';
import { imageConfigFields, imageFields, imageSchema } from './image.ts';
import { resourceFields } from './limit-forms.ts';
import { networkFields, networkSchema } from './network.ts';
import { updateFields } from './update-forms.ts';
import { volumeSchema } from './volume.ts';

interface KindSchema<K extends Kind> {
  /** The key of the manifest under which resources of this kind stand. */
  readonly section: string;
  /** The fields as written; documentation and change classes hang on them. */
  readonly fields: z.ZodObject;
  /** Fields that are themselves objects of documented fields, by field name. */
  readonly nested: Readonly<Record<string, z.ZodObject>>;
  /** From what is written to the normalised spec. */
  readonly schema: z.ZodType<SpecOfKind[K]>;
  /** Members of the normalised spec whose name is not that of their field. */
  readonly renamed: Readonly<Record<string, string>>;
}

/** The one table of kinds. */
export const KIND_SCHEMAS: { readonly [K in Kind]: KindSchema<K> } = {
  image: {
    section: 'images',
    fields: imageFields,
    nested: { config: imageConfigFields },
    schema: imageSchema,
    renamed: Object.fromEntries(
      ['pull', 'build', 'policy', 'platform', 'archive', 'layout', 'rootfs', 'host'].map((name) => [name, 'source']),
    ),
  },
  volume: { section: 'volumes', fields: volumeSchema, nested: {}, schema: volumeSchema, renamed: {} },
  network: { section: 'networks', fields: networkFields, nested: {}, schema: networkSchema, renamed: {} },
  container: {
    section: 'containers',
    fields: containerFields,
    nested: { resources: resourceFields, update: updateFields, health: healthFields },
    schema: containerSchema,
    renamed: { stopTimeout: 'stopTimeoutMs' },
  },
};

/** Change class of each member of a kind's normalised spec, by member name. */
export function specChangeClasses(kind: Kind): Readonly<Record<string, ChangeClass>> {
  const { fields, renamed } = KIND_SCHEMAS[kind];
  return Object.fromEntries(
    Object.entries(changeClasses(fields)).map(([name, change]) => [renamed[name] ?? name, change]),
  );
}

/** True where plain scalars are text as written (FieldMeta.text). @param path of a value within a resource, as written. */
export function isTextField(kind: Kind, path: readonly (string | number)[]): boolean {
  const { fields, nested } = KIND_SCHEMAS[kind];
  const [first = '', second = ''] = path.map(String);
  const inner = own(nested, first)?.shape;
  const schemas = [inner && own(inner, second), own(fields.shape, first)];
  return schemas.some((schema) => schema !== undefined && fieldMeta(schema as z.ZodType)?.text === true);
}
