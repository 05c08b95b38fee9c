import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import { OP_TRAITS, opId } from '../op-traits.ts';
import { because } from './cause.ts';
import { sharesNetwork, whyUntouchable } from './containers.ts';
import type { Pass } from './pass.ts';
import { scoped } from './pass.ts';

/**
 * A published port belongs to a container that runs. One that does not, and is not started by this plan, gives its host ports
 * back, whatever it waits for; a run in its namespace keeps them. It is planned after everything else of the containers.
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

/** This plan starts it, takes it away, or moves its ports to another one. */
function changes({ graph }: Pass, key: ResourceKey): boolean {
  if (graph.has(opId('container.cutover', baseKey(key)))) return true;
  return graph.typesOf(key).some((type) => !OP_TRAITS[type].leavesAtRest);
}

/** That it failed is no reason to try it again at once; what else failed of the container does not matter here. */
function isTriedLater({ observed, now }: Pass, key: ResourceKey): boolean {
  const failure = observed.failures.get(key);
  return failure?.op === 'container.withdraw' && (failure.retryAtBootMs ?? Number.POSITIVE_INFINITY) > now.bootMs;
}
