import type { z } from 'zod';
import type { SpecOfKind } from '../desired.ts';
import { fieldMeta } from '../field.ts';
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
}

/** The one table of kinds. */
export const KIND_SCHEMAS: { readonly [K in Kind]: KindSchema<K> } = {
  image: {
    section: 'images',
    fields: imageFields,
    nested: { config: imageConfigFields },
    schema: imageSchema,
  },
  volume: { section: 'volumes', fields: volumeSchema, nested: {}, schema: volumeSchema },
  network: { section: 'networks', fields: networkFields, nested: {}, schema: networkSchema },
  container: {
    section: 'containers',
    fields: containerFields,
    nested: { resources: resourceFields, update: updateFields, health: healthFields },
    schema: containerSchema,
  },
};

/** True where plain scalars are text as written (FieldMeta.text). @param path of a value within a resource, as written. */
export function isTextField(kind: Kind, path: readonly (string | number)[]): boolean {
  const { fields, nested } = KIND_SCHEMAS[kind];
  const [first = '', second = ''] = path.map(String);
  const inner = own(nested, first)?.shape;
  const schemas = [inner && own(inner, second), own(fields.shape, first)];
  return schemas.some((schema) => schema !== undefined && fieldMeta(schema as z.ZodType)?.text === true);
}
