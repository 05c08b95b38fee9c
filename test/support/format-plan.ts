import type { Plan } from '../../src/reconcile/op.ts';
import { formatOp } from '../../src/reconcile/plan/format.ts';

/** One line an op in the order they are done, then one a hold. */
export function formatPlan(plan: Plan): string {
  const holds = plan.holds.map(({ key, reason, message }) => `hold ${key} — ${reason}: ${message}`);
  const lines = [...plan.ops.map(formatOp), ...holds];
  return lines.length > 0 ? lines.join('\n') : 'nothing to do';
}
