import { createHash } from 'node:crypto';
import { formatReference, looksLikeReference, parseImageReference } from '../../model/image-reference.ts';
import type { ImageSpec } from '../../model/kinds/image.ts';

interface UndeclaredImage {
  readonly name: string;
  readonly spec: ImageSpec;
  readonly written: unknown;
}

/** Room for a hyphen and the hash within the 63 characters of a name. */
const READABLE_LENGTH = 50;

/** The name says what it is to people; the hash keeps apart what would look the same. */
function nameOf(reference: string): string {
  const hash = createHash('sha256').update(reference).digest('hex').slice(0, 8);
  const readable = reference
    .replace(/@sha256:.*/, '')
    .replace(/^.*\//, '')
    .replace(/[^a-z0-9]+/gi, '-')
    .toLowerCase();
  return `${readable.slice(0, READABLE_LENGTH).replace(/-+$/, '')}-${hash}`;
}

/** The image that `container.image` names in full: with a registry, a path or a tag. Null for a plain word or an id. */
export function undeclaredImage(image: string): UndeclaredImage | null {
  const parsed = looksLikeReference(image) ? parseImageReference(image) : null;
  if (parsed === null || !parsed.ok) return null;
  const reference = formatReference(parsed.value);
  const source = { type: 'pull', reference, policy: 'missing', platform: null } as const;
  return { name: nameOf(reference), spec: { source, config: null }, written: { pull: reference } };
}
