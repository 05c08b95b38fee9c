import type { Hold, Op, Plan } from '../op.ts';

/** `create container/blog/web — declared in blog.yaml:12:3`, and what it waits for where that is another resource. */
export function formatOp(op: Op): string {
  const others = op.dependsOn.filter((id) => !id.endsWith(` ${op.key}`));
  const after = others.length > 0 ? ` (after ${others.join(', ')})` : '';
  return `${op.id} — ${op.cause.message}${after}`;
}

export function formatHold(hold: Hold): string {
  return `hold ${hold.key} — ${hold.reason}: ${hold.message}`;
}

/** One line an op in the order they are done, then one a hold. */
export function formatPlan(plan: Plan): string {
  const lines = [...plan.ops.map(formatOp), ...plan.holds.map(formatHold)];
  return lines.length > 0 ? lines.join('\n') : 'nothing to do';
}
