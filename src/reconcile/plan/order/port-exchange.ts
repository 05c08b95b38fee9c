/** Running containers that exchange host ports in one edit: each update would wait for the other one. */
import type { Desired } from '../../../model/desired.ts';
import type { PortMapping } from '../../../model/kinds/short-forms.ts';
import { ANY_IPV4, shareAddress } from '../../../model/networks/host-addresses.ts';
import { parseKey, type ResourceKey } from '../../../model/resource.ts';
import { opId } from '../../op-traits.ts';
import { isContainer, specOf } from '../references.ts';
import { because } from './cause.ts';
import type { Pass } from './pass.ts';

interface Change {
  readonly key: ResourceKey;
  readonly id: string;
  readonly containerId: string;
  readonly before: readonly PortMapping[];
  readonly after: readonly PortMapping[];
}

const isSame = (a: PortMapping, b: PortMapping): boolean =>
  a.hostIp === b.hostIp && a.hostPort === b.hostPort && a.protocol === b.protocol;

/** An address that is left to the supervisor may be any. */
const clash = (a: PortMapping, b: PortMapping): boolean =>
  a.hostPort === b.hostPort && a.protocol === b.protocol && shareAddress(a.hostIp ?? ANY_IPV4, b.hostIp ?? ANY_IPV4);

const without = (ports: readonly PortMapping[], others: readonly PortMapping[]): PortMapping[] =>
  ports.filter((port) => port.hostPort !== null && !others.some((other) => isSame(port, other)));

function changedPorts(pass: Pass, desired: Desired<'container'>): Change[] {
  const { key, spec } = desired;
  const id = opId('container.update', key);
  const container = pass.observed.containers.get(key);
  if (!container?.running || container.published !== true || !pass.graph.has(id)) return [];
  const before = specOf(container).ports;
  return [
    { key, id, containerId: container.id, before: without(before, spec.ports), after: without(spec.ports, before) },
  ];
}

/**
 * Of two updates that cannot wait for each other, the one that comes second gives up its ports before the first one: as long
 * as that takes they belong to no container. Call it when updates that give ports are ordered before those that take them.
 */
export function planPortExchanges(pass: Pass, containers: readonly Desired<'container'>[]): void {
  const changes = containers.filter(isContainer).flatMap((desired) => changedPorts(pass, desired));
  for (const giver of changes) {
    const takers = changes.filter(
      (taker) =>
        taker !== giver &&
        !pass.graph.waitsFor(taker.id, giver.id) &&
        giver.before.some((port) => taker.after.some((wanted) => clash(port, wanted))),
    );
    const [first] = takers;
    if (first === undefined) continue;
    const ports = giver.before.filter((port) =>
      takers.some(({ after }) => after.some((wanted) => clash(port, wanted))),
    );
    const given = ports.flatMap(({ hostPort, protocol }) => (hostPort === null ? [] : [{ hostPort, protocol }]));
    const names = given.map(({ hostPort, protocol }) => `${hostPort}/${protocol}`).join(', ');
    const { app, name } = parseKey(first.key);
    const cause = because('spec-changed', `exchanges host port ${names} with ${app}/${name}`);
    const withdraw = pass.graph.addBefore(
      { key: giver.key, cause, containerId: giver.containerId, op: 'container.withdraw', ports: given },
      giver.id,
    );
    for (const taker of takers) pass.graph.preferOrder(withdraw, taker.id);
  }
}
