import type { DesiredState } from '../../src/model/desired.ts';
import type { ResourceKey } from '../../src/model/resource.ts';
import type { Plan } from '../../src/reconcile/op.ts';
import type { PlanInput } from '../../src/reconcile/plan/order/pass.ts';
import { plan } from '../../src/reconcile/plan/plan.ts';
import type { App } from './declare.ts';
import { declare } from './declare.ts';
import { formatPlan } from './format-plan.ts';
import { PureHost } from './pure-host.ts';

export type PlanOptions = Partial<Pick<PlanInput, 'scope' | 'busy' | 'seed'>>;

export function planOn(host: PureHost, desired: DesiredState, options: PlanOptions = {}): Plan {
  return plan({
    desired,
    observed: host.observe(),
    now: host.now(),
    seed: 'seed',
    scope: null,
    busy: new Set<ResourceKey>(),
    ...options,
  });
}

export function textOn(host: PureHost, desired: DesiredState, options: PlanOptions = {}): string {
  return formatPlan(planOn(host, desired, options));
}

/** A host on which everything declared was brought up. */
export function hostWith(apps: Readonly<Record<string, App>>): PureHost {
  const host = new PureHost();
  const desired = declare(apps);
  host.applyAll(planOn(host, desired).ops, desired);
  return host;
}
