import type { SourcePosition } from '../../../model/resource.ts';
import type { Part } from '../part.ts';

/** `NAME=value` items of a list, or a mapping. A name alone has an empty value. */
export function pairs(part: Part): (readonly [name: string, value: string, at: SourcePosition])[] {
  if (part.content.type === 'mapping') {
    return part.entries().map(([name, value]) => [name, value.isNothing ? '' : value.text(), value.keyAt] as const);
  }
  return part.items().map((item) => {
    const text = item.text();
    const equals = text.indexOf('=');
    return equals < 0
      ? ([text, '', item.at] as const)
      : ([text.slice(0, equals), text.slice(equals + 1), item.at] as const);
  });
}
