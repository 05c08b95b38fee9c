import type { Op } from '../op.ts';

/** `create container/blog/web — declared in blog.yaml:12:3`, and what it waits for where that is another resource. */
export function formatOp(op: Op): string {
  const others = op.dependsOn.filter((id) => !id.endsWith(` ${op.key}`));
  const after = others.length > 0 ? ` (after ${others.join(', ')})` : '';
  return `${op.id} — ${op.cause.message}${after}`;
}
