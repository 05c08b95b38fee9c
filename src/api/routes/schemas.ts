/** Shapes that several routes take. */
import { z } from 'zod';
import { KINDS } from '../../model/resource.ts';

export const waitMs = z.number().int().min(0).nullable();
/** Left out or null, what the manifests say. */
export const settleMs = z.number().int().min(0).nullable().optional();
export const kind = z.enum(KINDS);

/** In queries and paths everything is text. */
export const flag = z.enum(['true', 'false']).transform((text) => text === 'true');
export const count = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a whole number')
  .transform(Number);

/** What becomes an argument of a system call. */
export const noZeroByte = z.string().refine((text) => !text.includes('\0'), 'must not contain a zero byte');

export const absolutePath = noZeroByte.refine(
  (path) => path.startsWith('/'),
  'must be an absolute path on the host of the supervisor',
);

const manifest = z.strictObject({
  file: noZeroByte.refine((file) => file === '-' || file.startsWith('/'), 'must be - or an absolute path'),
  baseDir: noZeroByte.refine((dir) => dir === '' || dir.startsWith('/'), 'must be empty or an absolute path'),
  text: z.string(),
});
export const manifests = z.array(manifest);
