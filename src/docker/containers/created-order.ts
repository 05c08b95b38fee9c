/** Times as Go writes them, in an order: their fractions have no trailing zeros. Pure. */

/** A text that sorts as the time does. */
export function sortable(time: string): string {
  const [seconds = '', fraction = ''] = time.replace(/Z$/, '').split('.');
  return `${seconds}.${fraction.padEnd(9, '0')}`;
}

export function newestFirst(a: { readonly created: string }, b: { readonly created: string }): number {
  const [left, right] = [sortable(a.created), sortable(b.created)];
  return left < right ? 1 : left > right ? -1 : 0;
}
