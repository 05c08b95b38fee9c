import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import { OP_TRAITS, opId } from '../op-traits.ts';
import { whyUntouchable } from './container/container-removal.ts';
import { sharesNetwork } from './container/surroundings.ts';
import { because } from './order/cause.ts';
import type { Pass } from './order/pass.ts';
import { scoped } from './order/pass.ts';

/**
 * Plans the release of host ports by containers that do not run and that this plan does not start. A container that runs in
 * the same namespace keeps the ports. Call it after all other ops of containers are planned.
 */
export function planWithdrawals(pass: Pass): void {
  for (const container of scoped(pass, pass.observed.containers)) {
    const { key, running, published, id: containerId } = container;
    if (running || published !== true || key === null || pass.busy.has(key) || whyUntouchable(container) !== null)
      continue;
    if (pass.desired.uncertain?.has(parseKey(key).app) && !pass.desired.resources.has(baseKey(key))) continue;
    if (changes(pass, key) || isTriedLater(pass, key)) continue;
    if (pass.relations.neededBy(key).some((user) => sharesNetwork(pass, user, key))) continue;
    const cause = because('exited', `${parseKey(key).name} does not run`);
    pass.graph.add({ key, cause, containerId, op: 'container.withdraw' });
  }
}

/** Reports whether this plan starts or removes the container, or moves its ports. */
function changes({ graph }: Pass, key: ResourceKey): boolean {
  if (graph.has(opId('container.cutover', baseKey(key)))) return true;
  return graph.typesOf(key).some((type) => !OP_TRAITS[type].leavesAtRest);
}

/** Reports whether a failed withdrawal still waits for its retry time. Other failures do not count. */
function isTriedLater({ observed, now }: Pass, key: ResourceKey): boolean {
  const failure = observed.failures.get(key);
  return failure?.op === 'container.withdraw' && (failure.retryAtBootMs ?? Number.POSITIVE_INFINITY) > now.bootMs;
}
