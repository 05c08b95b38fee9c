/** Whether a container meets a dependency condition, now or by an op of this plan. */
import type { Desired } from '../../../model/desired.ts';
import { effectiveProbes } from '../../../model/health.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { opId } from '../../op-traits.ts';
import type { Availability, Pass } from '../order/pass.ts';
import { blocked, READY_NOW } from '../order/pass.ts';
import { isOfItsDeclaration, satisfies } from '../readiness.ts';
import { type DependencyCondition, isContainer } from '../references.ts';

/** True when a start alone does not make the container ready: a probe decides. The probes of an image may be unknown. */
function waitsForProbes(pass: Pass, { key, spec }: Desired<'container'>): boolean {
  const probes = effectiveProbes(spec.health, pass.observed.healthchecks?.get(key) ?? null);
  return probes !== null && (probes.check ?? probes.startup ?? probes.readiness) !== null;
}

function afterStart(pass: Pass, desired: Desired<'container'>, condition: DependencyCondition): Availability {
  const { key } = desired;
  if (condition === 'completed') return blocked(`${key}, which has not completed`);
  if (condition === 'ready' && waitsForProbes(pass, desired)) return blocked(`${key}, which is not ready yet`);
  return { state: 'ready', after: opId('container.start', key) };
}

function reasonOf(pass: Pass, key: ResourceKey, condition: DependencyCondition): string {
  const hold = pass.holds.get(key);
  if (hold) return `${key}: ${hold.message}`;
  const observed = pass.observed.containers.get(key);
  if (condition === 'completed') return `${key}, which has not completed`;
  return observed?.running && observed.health
    ? `${key}, which is ${observed.health.state}: ${observed.health.message}`
    : `${key}, which is not running`;
}

/** Returns whether `key` meets `condition`. The ops of `key` must be in the graph already. */
export function containerAvailability(pass: Pass, key: ResourceKey, condition: DependencyCondition): Availability {
  const desired = pass.desired.resources.get(key);
  if (!desired || !isContainer(desired)) return blocked(`${key}, which is not declared`);
  if (pass.busy.has(key)) return blocked(`${key}, which is being changed`, true);
  const planned = pass.graph.chain(key).length > 0;
  if (planned && pass.graph.has(opId('container.start', key))) return afterStart(pass, desired, condition);
  const stays = !planned || !pass.graph.has(opId('container.stop', key));
  const container = pass.observed.containers.get(key);
  if (!container || !stays || !satisfies(container, desired.spec, condition))
    return blocked(reasonOf(pass, key, condition), false, pass.holds.get(key)?.hint);
  if (isOfItsDeclaration(container, desired)) return READY_NOW;
  // A change that is only taken over asks for no other work.
  const update = opId('container.update', key);
  if (pass.graph.has(update)) return { state: 'ready', after: update };
  const waits = pass.holds.get(key);
  return waits
    ? blocked(reasonOf(pass, key, condition), false, waits.hint)
    : blocked(`${key}, which ended before its declaration changed`);
}
