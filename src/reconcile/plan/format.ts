import type { Op } from '../op.ts';

/**
 * `create container/blog/web — declared in blog.yaml:12:3`, and what it waits for where that is another resource. An update
 * is said to be in place: nothing restarts.
 */
export function formatOp(op: Op): string {
  const others = op.dependsOn.filter((id) => !id.endsWith(` ${op.key}`));
  const after = others.length > 0 ? ` (after ${others.join(', ')})` : '';
  const how = op.op === 'container.update' ? ' in place' : '';
  return `${op.id}${how} — ${op.cause.message}${after}`;
}
