import type { PlanView } from '../../api/supervisor.ts';
import { plural, printable } from './text.ts';

/** The plan as the engine prints it, what waits and why, and a line that sums it up. */
export function formatPlan(plan: PlanView): string {
  const ops = plan.text.trimEnd();
  const holds = plan.holds.map(
    (hold) => `held  ${printable(hold.resource)}: ${printable(hold.message)} (${hold.reason})`,
  );
  const sum = plan.ops.length === 0 ? 'Nothing to do.' : `${plural(plan.ops.length, 'operation')}.`;
  return [...(ops === '' || plan.ops.length === 0 ? [] : [ops]), ...holds, sum].join('\n');
}
