import type { z } from 'zod';
import type { SpecOfKind } from '../desired.ts';
import { type ChangeClass, changeClasses } from '../field.ts';
import type { Kind } from '../resource.ts';
import { containerFields, containerSchema } from './container.ts';
import { imageFields, imageSchema } from './image.ts';
import { networkFields, networkSchema } from './network.ts';
import { volumeSchema } from './volume.ts';

interface KindSchema<K extends Kind> {
  /** The key of the manifest under which resources of this kind stand. */
  readonly section: string;
  /** The fields as written; documentation and change classes hang on them. */
  readonly fields: z.ZodObject;
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
    schema: imageSchema,
    renamed: { archive: 'source', layout: 'source', rootfs: 'source', host: 'source' },
  },
  volume: { section: 'volumes', fields: volumeSchema, schema: volumeSchema, renamed: {} },
  network: { section: 'networks', fields: networkFields, schema: networkSchema, renamed: {} },
  container: {
    section: 'containers',
    fields: containerFields,
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
