/** Networks that running containers join and leave without a restart: what has to be there first, and what may go after it. */
import type { Desired } from '../../model/desired.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { opId } from '../op-traits.ts';
import type { Pass } from './order/pass.ts';
import { isContainer, observedReferences } from './references.ts';

const NETWORK_FIELDS: ReadonlySet<string> = new Set(['network', 'networks', 'address']);

/** True where the container is on other networks, or otherwise on them, than before. */
export function changesNetworks(fields: readonly string[]): boolean {
  return fields.some((field) => NETWORK_FIELDS.has(field));
}

/** True for a change that is carried out at the endpoints. */
export function changesEndpoints(fields: readonly string[]): boolean {
  return changesNetworks(fields) || fields.some((field) => field === 'ports' || /^bandwidth(\.|$)/.test(field));
}

/** Networks on which a container has an endpoint, or may have one: those it was made for are connected step by step. */
export function networksOf(container: ObservedContainer): readonly ResourceKey[] {
  const connected = (container.endpoints ?? []).map(({ network }) => network);
  return [...new Set([...observedReferences(container).networks, ...connected])];
}

/** Returns the op after which a container has no endpoint on a network any more; null when there is none. */
export function leavingOp(pass: Pass, key: ResourceKey, network: ResourceKey): string | null {
  const disconnect = opId('container.disconnect', key);
  if (pass.graph.has(disconnect)) return disconnect;
  const desired = pass.desired.resources.get(key);
  if (!desired || !isContainer(desired) || desired.references.networks.includes(network)) return null;
  const update = pass.graph.drafts().find((draft) => draft.key === key && draft.op === 'container.update');
  if (update?.op !== 'container.update' || !changesEndpoints(update.fields)) return null;
  return opId('container.update', key);
}

/** A container joins a network by its update, which waits until that is set up. Call it before networks wait for each other. */
export function orderJoins(pass: Pass, containers: readonly Desired<'container'>[]): void {
  for (const { key, references } of containers) {
    if (pass.graph.has(opId('container.start', key))) continue;
    const op = [opId('container.update', key), opId('container.connect', key)].find((id) => pass.graph.has(id));
    if (op === undefined) continue;
    for (const network of references.networks) {
      const availability = pass.availability.get(network);
      if (availability?.state !== 'ready' || availability.after === null) continue;
      pass.graph.preferOrder(availability.after, op);
    }
  }
}
