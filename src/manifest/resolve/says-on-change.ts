import type { ParsedResource } from '../parse.ts';

/** True when the manifest itself says for a container what a change of a file leads to. */
export function saysOnChange({ written }: Pick<ParsedResource, 'written'>): boolean {
  return typeof written === 'object' && written !== null && 'onChange' in written;
}
