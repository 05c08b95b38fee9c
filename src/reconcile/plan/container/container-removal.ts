/** Plans the end of containers that are not to run: no manifest declares them, or a person stopped them. */
import type { Desired } from '../../../model/desired.ts';
import type { ObservedContainer } from '../../../model/observed.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { removalIntent } from '../intent.ts';
import { because } from '../order/cause.ts';
import type { Pass } from '../order/pass.ts';
import { failureHold, hold } from '../order/pass.ts';
import { describeStop } from '../restart.ts';
import { isStopped } from '../stopped.ts';
import { stopTerms } from './container-ops.ts';

type Container = Desired<'container'>;

export function whyUntouchable({ available, unknown, unrecorded }: ObservedContainer): string | null {
  if (!available) return 'made by a driver that is not in use';
  return unknown ?? unrecorded ?? null;
}

/** Plans only the manual stop of a container whose manifest cannot be used. */
export function planStopOfLeft(pass: Pass, key: ResourceKey, container: ObservedContainer): void {
  const { running, stopUntil } = container;
  if (!isStopped(container, null) || whyUntouchable(container) !== null || pass.busy.has(key)) return;
  if (!running) {
    hold(pass, key, 'stopped-by-user', `${describeStop(container)}; its manifest cannot be used`, stopUntil?.bootMs);
    return;
  }
  const failed = failureHold(pass, key, undefined);
  if (failed) {
    pass.holds.set(key, Object.freeze(failed));
    return;
  }
  const cause = because('requested', 'stop requested');
  const terms = { ...stopTerms(container), restart: false };
  pass.graph.add({ key, cause, containerId: container.id, op: 'container.stop', ...terms });
}

/** Plans the removal of a container that no manifest declares. */
export function planRemoval(
  pass: Pass,
  key: ResourceKey,
  container: ObservedContainer,
  cause = because('removed', 'no longer declared'),
  declaration?: Container,
): void {
  if (whyUntouchable(container) !== null || pass.busy.has(key)) return;
  const failed = failureHold(pass, key, declaration);
  if (failed) {
    pass.holds.set(key, Object.freeze(failed));
    return;
  }
  for (const { name } of removalIntent(container, cause).steps) {
    const base = { key, cause, containerId: container.id };
    if (name === 'stop') pass.graph.add({ ...base, op: 'container.stop', ...stopTerms(container), restart: false });
    else if (name === 'disconnect') pass.graph.add({ ...base, op: 'container.disconnect' });
    else pass.graph.add({ ...base, op: 'container.remove' });
  }
}
