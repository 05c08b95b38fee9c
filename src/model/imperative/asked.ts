/** What of a request is not in the specification that it became. Pure. */
import type { JsonValue } from '../json.ts';
import type { ImperativeRequest } from './request.ts';

const MAX = 0xffff;

/** Go ignores the case of keys. */
function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.entries(value).findLast(([key]) => key.toLowerCase() === name)?.[1];
}

const isLength = (value: JsonValue | undefined): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX;

/** Size of the terminal from which a container was asked for. Undefined for none, and for what is no size. */
export function consoleSizeOf({
  body,
}: ImperativeRequest): { readonly rows: number; readonly columns: number } | undefined {
  const size = memberOf(memberOf(body, 'hostconfig'), 'consolesize');
  if (!Array.isArray(size)) return undefined;
  const [rows, columns] = size as readonly JsonValue[];
  return isLength(rows) && isLength(columns) ? { rows, columns } : undefined;
}

/** The image as a container was asked for, whose specification has its id. Undefined for what is no name. */
export function imageOf({ body }: ImperativeRequest): string | undefined {
  const image = memberOf(body, 'image');
  return typeof image === 'string' && image !== '' ? image : undefined;
}
