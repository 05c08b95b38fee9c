/** Shapes that several routes take. */
import { z } from 'zod';
import { KINDS } from '../../model/resource.ts';

export const waitMs = z.number().int().min(0).nullable();
export const kind = z.enum(KINDS);

const manifest = z.strictObject({
  file: z.string().refine((file) => file === '-' || file.startsWith('/'), 'must be - or an absolute path'),
  baseDir: z.string().refine((dir) => dir === '' || dir.startsWith('/'), 'must be empty or an absolute path'),
  text: z.string(),
});
export const manifests = z.array(manifest);
