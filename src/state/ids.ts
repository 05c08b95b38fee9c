/** Ids of containers, volumes, layers and images: 32 bytes in hex. */
export const ID_PATTERN = /^[0-9a-f]{64}$/;

/** What Docker prints and uses as the default host name. */
export function shortId(id: string): string {
  return id.slice(0, 12);
}

/**
 * A new id. As in Docker one whose first 12 digits are a decimal number is not used, because a host name made from it
 * would look like a number.
 * @param random gives that many unpredictable bytes, e.g. node:crypto's randomBytes.
 */
export function newId(random: (bytes: number) => Buffer): string {
  for (;;) {
    const id = random(32).toString('hex');
    if (!/^\d+$/.test(shortId(id))) return id;
  }
}
