/** Orders between containers beyond their dependencies: stops, and names and ports that move from one to another. */
import type { Desired } from '../../../model/desired.ts';
import type { ContainerSpec } from '../../../model/kinds/container.ts';
import { membershipsOf } from '../../../model/kinds/network-membership.ts';
import type { ObservedContainer } from '../../../model/observed.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { OP_TRAITS, opId } from '../../op-traits.ts';
import { isContainer, observedReferences, specOf, startDependencies } from '../references.ts';
import type { Pass } from './pass.ts';

/** Dependents stop before what they depend on. */
export function orderStops(pass: Pass): void {
  for (const key of pass.graph.keys()) {
    const stop = opId('container.stop', key);
    const container = pass.observed.containers.get(key);
    if (!container || !pass.graph.has(stop)) continue;
    for (const target of startDependencies(observedReferences(container))) {
      const first = pass.graph.typesOf(target).findIndex((type) => OP_TRAITS[type].direction === 'down');
      const teardown = pass.graph.chain(target)[first];
      if (teardown !== undefined) pass.graph.preferOrder(stop, teardown);
    }
  }
}

/** As `8080/tcp`. */
export function hostPorts(spec: ContainerSpec): string[] {
  return spec.ports.filter((port) => port.hostPort !== null).map((port) => `${port.hostPort}/${port.protocol}`);
}

/** Returns the exclusive things a container takes (name, address, host ports), each with the op that takes it. */
function takes({ key, engineName, spec }: Desired<'container'>): [thing: string, id: string][] {
  const ports = hostPorts(spec).flatMap((port): [string, string][] => [
    [`port ${port}`, opId('container.connect', key)],
    [`port ${port}`, opId('container.update', key)],
  ]);
  const fixed = membershipsOf(spec).flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((address) => address !== null));
  const addresses = fixed.flatMap((address): [string, string][] => [
    [`address ${address}`, opId('container.create', key)],
    [`address ${address}`, opId('container.update', key)],
  ]);
  return [[`name ${engineName}`, opId('container.create', key)], ...addresses, ...ports];
}

function gives(key: ResourceKey, container: ObservedContainer): [thing: string, id: string][] {
  const ports = hostPorts(specOf(container)).flatMap((port): [string, string][] => [
    [`port ${port}`, opId('container.disconnect', key)],
    [`port ${port}`, opId('container.update', key)],
  ]);
  const { endpoints = [], engineName } = container;
  const held = endpoints.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((address) => address !== null));
  const leased = held.flatMap((address): [string, string][] => [
    [`address ${address}`, opId('container.remove', key)],
    [`address ${address}`, opId('container.update', key)],
  ]);
  return [[`name ${engineName}`, opId('container.remove', key)], ...leased, ...ports];
}

/** Orders the op that releases a name, address or host port before the op that takes it. */
export function orderHandovers(pass: Pass): void {
  const givers = new Map<string, string[]>();
  for (const key of pass.graph.keys()) {
    const container = pass.observed.containers.get(key);
    if (!container) continue;
    for (const [thing, id] of gives(key, container)) {
      if (!pass.graph.has(id)) continue;
      givers.set(thing, [...(givers.get(thing) ?? []), id]);
    }
  }
  if (givers.size === 0) return;
  for (const key of pass.graph.keys()) {
    const desired = pass.desired.resources.get(key);
    if (!desired || !isContainer(desired)) continue;
    for (const [thing, id] of takes(desired)) {
      if (!pass.graph.has(id)) continue;
      for (const giver of givers.get(thing) ?? []) {
        if (!pass.graph.chain(desired.key).includes(giver)) pass.graph.preferOrder(giver, id);
      }
    }
  }
}

/** New networks wait for the removal of old ones, whose subnet they may take over. */
export function orderNetworks(pass: Pass): void {
  const drafts = pass.graph.drafts();
  const removed = drafts.filter(({ op }) => op === 'network.remove').map(({ key }) => opId('network.remove', key));
  if (removed.length === 0) return;
  for (const draft of drafts) {
    if (draft.op !== 'network.ensure') continue;
    for (const id of removed) pass.graph.preferOrder(id, opId('network.ensure', draft.key));
  }
}
