import { z } from 'zod';
import { fieldMeta } from '../model/field.ts';
import { imageFields, SOURCES } from '../model/kinds/image.ts';
import { KIND_SCHEMAS } from '../model/kinds/kinds.ts';
import { NAME_PATTERN } from '../model/resource.ts';

const name = z.string().regex(NAME_PATTERN);

const manifestSchema = z.strictObject({
  app: name
    .meta({ description: "Name of the app. Left out, the file's name without .yaml.", examples: ['blog'] })
    .optional(),
  follow: z
    .boolean()
    .meta({
      description:
        'What an app that was applied does when a file changes that it binds, reads variables from or is built from. `false`: nothing, until it is applied again. `true`: what `onChange` says, and a build. Manifests of the watched directory always follow their files.',
      default: false,
    })
    .optional(),
  images: z.record(name, KIND_SCHEMAS.image.schema).optional(),
  volumes: z.record(name, KIND_SCHEMAS.volume.schema.nullable()).optional(),
  networks: z.record(name, KIND_SCHEMAS.network.schema.nullable()).optional(),
  containers: z.record(name, KIND_SCHEMAS.container.schema).optional(),
});

/** The default as it would be written; undefined for a field without one. */
function writtenDefault(schema: z.core.$ZodType): unknown {
  // zod has these in the classes of its schemas, which the general one does not name.
  const { def } = schema._zod as unknown as {
    def: { type: string; defaultValue?: unknown; in?: z.core.$ZodType; innerType?: z.core.$ZodType };
  };
  if (def.type === 'default' || def.type === 'prefault') return def.defaultValue;
  return def.type === 'pipe' && def.in ? writtenDefault(def.in) : undefined;
}

/**
 * JSON Schema (2020-12) of a manifest as it is written, for editors. It describes the form: references, clashes and what
 * contradicts itself are found by `tsdocker validate`. `x-change` is the field's change class.
 */
export function manifestJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(manifestSchema, {
    io: 'input',
    override: ({ zodSchema, jsonSchema }) => {
      const meta = fieldMeta(zodSchema);
      if (meta) {
        // zod leaves these out where a field is transformed, because they describe what is written.
        const standard = writtenDefault(zodSchema);
        if (standard !== undefined) jsonSchema.default = standard as never;
        if (meta.example !== undefined) jsonSchema.examples = [meta.example];
        jsonSchema['x-change'] = meta.change;
      }
      if ((zodSchema as unknown) === imageFields) {
        jsonSchema.oneOf = SOURCES.map((source) => ({ required: [source] }));
      }
    },
  });
  const { $schema, ...rest } = schema;
  return { $schema, title: 'tsdocker manifest', ...rest };
}
