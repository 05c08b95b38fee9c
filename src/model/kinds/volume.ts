import { z } from 'zod';
import { field } from '../field.ts';
import { booleanField, labels } from './schema-parts.ts';

/** Data that outlives the containers that use it. */
export const volumeSchema = z.strictObject({
  labels: field(labels(), {
    doc: 'Labels: names and texts for people and tools.',
    change: 'in-place',
    example: { tier: 'data' },
    text: true,
  }),
  onRemove: field(z.enum(['keep', 'delete']).default('keep'), {
    doc: 'What happens to the data when the volume is no longer declared. `delete` still waits for `tsdocker approve`.',
    change: 'in-place',
    example: 'delete',
  }),
  adopt: field(booleanField(), {
    doc: 'Adopts released data of the same name from another app.',
    change: 'in-place',
    example: true,
  }),
});

export type VolumeSpec = Readonly<z.output<typeof volumeSchema>>;
