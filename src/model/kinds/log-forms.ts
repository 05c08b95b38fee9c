import { z } from 'zod';
import { shortForm, textOrNumber } from './schema-parts.ts';
import { parseBytes } from './short-forms.ts';

/** A file must hold the longest entry: 16 KiB of output, six times as much when every byte is escaped (shim/log.h). */
const MIN_FILE_BYTES = 128 * 1024;
/** Each rotation renames every file. */
const MAX_FILES = 1000;

const size = shortForm(textOrNumber(), parseBytes).refine((bytes) => bytes >= MIN_FILE_BYTES, 'the minimum is 128KiB');

/** Where the output of a container goes, and how much of it is kept. */
export const log = z
  .strictObject({
    maxSize: size.prefault('10MiB'),
    maxFiles: z.int().min(1).max(MAX_FILES).default(5),
  })
  .transform(({ maxSize, ...rest }) => ({ maxBytes: maxSize, ...rest }))
  .prefault({});
