import type { Desired } from '../../model/desired.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import type { Cause, Hold, Plan } from '../op.ts';
import { opId } from '../op-traits.ts';
import { planRemoval, planStopOfLeft } from './container/container-removal.ts';
import { planContainer } from './container/plan-container.ts';
import { leavingOp, orderJoins } from './live-networks.ts';
import { orderNeeds } from './needs.ts';
import { OpGraph } from './order/op-graph.ts';
import { orderHandovers, orderNetworks, orderStops } from './order/ordering.ts';
import type { Pass, PlanInput } from './order/pass.ts';
import { inReach, scoped, undeclared } from './order/pass.ts';
import { planPortExchanges } from './order/port-exchange.ts';
import { planImages, planNetworks, planVolumes } from './prerequisites.ts';
import { attachedTo, releaseImages, removeNetworks, removeOrphans, removeVolumes } from './removals.ts';
import type { Relations } from './scope.ts';
import { dependencyOrder, relationsOf, withDependencies } from './scope.ts';
import { planWithdrawals } from './withdrawals.ts';

/**
 * Returns the ops that bring the host to the desired state, and the holds of keys that cannot change now. Pure: equal inputs
 * give equal plans. Ops are sorted: each comes after those it depends on.
 * @param relations of `input.desired`, when the caller has computed them already
 */
export function plan(input: PlanInput, relations: Relations = relationsOf(input.desired)): Plan {
  const reach = input.scope === null ? null : withDependencies(input.scope, relations);
  const containers =
    reach === null
      ? relations.containers
      : dependencyOrder(inReach(reach, input.desired.resources), input.desired, relations.needs);
  const pinned = new Map<ResourceKey, ResourceKey>();
  for (;;) {
    const pass: Pass = {
      ...input,
      relations,
      reach,
      graph: new OpGraph(),
      holds: new Map<ResourceKey, Hold>(),
      availability: new Map(),
      pinned,
      forgiven: new Set(),
      loading: new Set(),
      successors: [],
      predecessors: new Map(),
    };
    const recreated = decide(pass, containers);
    const stuck = firstStuck(pass, recreated);
    if (!stuck) return finish(pass, containers, recreated);
    // This network cannot be recreated now: plan again without that change.
    pinned.set(...stuck);
  }
}

/** Adds all ops, not yet ordered between resources. Returns the networks to recreate. */
function decide(pass: Pass, containers: readonly Desired<'container'>[]): ReadonlyMap<ResourceKey, Cause> {
  removeOrphans(pass);
  planImages(pass);
  planVolumes(pass);
  const recreated = planNetworks(pass);
  for (const container of scoped(pass, pass.observed.containers)) {
    const { key } = container;
    if (key === null || pass.desired.resources.has(key)) continue;
    if (undeclared(pass, key)) planRemoval(pass, key, container);
    else if (!pass.desired.resources.has(baseKey(key))) planStopOfLeft(pass, key, container);
  }
  for (const desired of containers) planContainer(pass, desired, recreated);
  planWithdrawals(pass);
  return recreated;
}

/** Returns a network to recreate that a container cannot leave, with that container; null when there is none. */
function firstStuck(pass: Pass, recreated: ReadonlyMap<ResourceKey, Cause>): [ResourceKey, ResourceKey] | null {
  for (const network of recreated.keys()) {
    const stays = attachedTo(pass, network).find(({ key }) => leavingOp(pass, key, network) === null);
    if (stays?.key) return [network, stays.key];
  }
  return null;
}

/** Orders the ops of different resources. */
function order(
  pass: Pass,
  containers: readonly Desired<'container'>[],
  recreated: ReadonlyMap<ResourceKey, Cause>,
): void {
  for (const network of recreated.keys()) {
    for (const { key } of attachedTo(pass, network)) {
      const leaving = leavingOp(pass, key, network);
      if (leaving !== null) pass.graph.order(leaving, opId('network.remove', network));
    }
  }
  orderStops(pass);
  orderJoins(pass, containers);
  orderNetworks(pass);
  const present = containers.filter(({ key }) => !pass.predecessors.has(key));
  // Predecessors come last: they alone may need something that now needs them.
  for (const desired of [...present, ...pass.successors, ...pass.predecessors.values()]) orderNeeds(pass, desired);
  orderHandovers(pass);
  planPortExchanges(pass, containers);
}

function finish(
  pass: Pass,
  containers: readonly Desired<'container'>[],
  recreated: ReadonlyMap<ResourceKey, Cause>,
): Plan {
  removeNetworks(pass);
  removeVolumes(pass);
  releaseImages(pass);
  if (!pass.graph.isEmpty) order(pass, containers, recreated);
  return Object.freeze({
    generation: pass.desired.generation,
    ops: pass.graph.sorted(),
    holds: Object.freeze([...pass.holds.values()]),
    forgiven: pass.forgiven,
  });
}
