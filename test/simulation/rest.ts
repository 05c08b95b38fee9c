/** Invariants after faults have stopped and time has passed. */
import type { PublishedPort } from '../../src/drivers/contract/network.ts';
import type { Desired, DesiredState } from '../../src/model/desired.ts';
import type { ContainerSpec } from '../../src/model/kinds/container.ts';
import type { PortMapping } from '../../src/model/kinds/short-forms.ts';
import type { ResourceKey } from '../../src/model/resource.ts';
import { baseKey, formerKey } from '../../src/model/update.ts';
import { ownerOfNetwork } from '../../src/reconcile/ops/networks/shared-network.ts';
import { isReady, satisfies } from '../../src/reconcile/plan/readiness.ts';
import {
  isContainer,
  namespaceOwner,
  observedReferences,
  ownsSandbox,
  specOf,
  startConditions,
  startDependencies,
} from '../../src/reconcile/plan/references.ts';
import { endpointsOf } from '../../src/state/containers/endpoints.ts';
import { declaredOnDisk } from './clients.ts';
import type { Disk } from './disk.ts';
import { containerOf, endpointId, type Kernel, type Payload } from './kernel.ts';
import { DEFAULT_BRIDGE, type SimSupervisor } from './supervisor.ts';

export interface Rested {
  readonly supervisor: SimSupervisor;
  readonly disk: Disk;
  readonly kernel: Kernel;
  readonly desired: DesiredState;
}

/** Whether a container is declared on a network, or was made on it. */
function isOn(network: ResourceKey, key: ResourceKey, { disk, desired }: Pick<Rested, 'disk' | 'desired'>): boolean {
  const resource = desired.resources.get(key);
  if (resource?.references.networks.includes(network)) return true;
  return [...disk.containers.values()].some(({ owner, engineName }) => {
    if (owner?.key !== key) return false;
    const spec = owner.written as unknown as ContainerSpec;
    return observedReferences({ key, engineName, spec }).networks.includes(network);
  });
}

/** Whether a container keeps an address that it had before it took over those of another one. */
function hasFormer(disk: Disk, holder: string, address: string): boolean {
  return [...disk.containers.values()].some((record) => {
    const key = record.owner?.key;
    if (key === undefined || formerKey(key) !== holder) return false;
    return endpointsOf(record).some(({ former }) => former?.ipv4?.split('/')[0] === address);
  });
}

/** Objects in the kernel and on the disk without an owner. */
function leaks({ supervisor, disk, kernel, desired }: Rested): string[] {
  const found: string[] = [];
  const none = (what: string, id: string, owned: boolean): void => {
    if (!owned) found.push(`${what} ${id.slice(0, 60)} has no owner`);
  };
  const networks = disk.history.resources.networks();
  for (const id of kernel.payloads.keys()) none('process', id, disk.containers.has(id));
  for (const id of kernel.veths.keys()) none('link', id, disk.containers.has(containerOf(id)));
  for (const id of kernel.ports.keys()) none('rule', id, disk.containers.has(containerOf(id)));
  for (const { key, bridge } of kernel.bridges.values())
    none(
      'bridge',
      bridge,
      networks.some((n) => n.key === key),
    );
  for (const { key } of networks) {
    // A container whose next declaration cannot be started keeps what it has.
    const kept = supervisor.controller.hold(key)?.message.startsWith('still used by') === true;
    none('network', key, key === DEFAULT_BRIDGE.key || desired.resources.has(key) || kept);
  }
  for (const id of disk.runs) none('run directory', id, disk.containers.has(id));
  for (const id of disk.links.entities()) none('name', id, disk.containers.has(id));
  for (const { id, owner } of disk.containers.values())
    none('container', id, owner !== null && desired.resources.has(owner.key));
  for (const { container, network, address } of disk.history.leases.addresses())
    none(
      'lease',
      `${network} ${container}`,
      isOn(network as ResourceKey, container as ResourceKey, { disk, desired }) || hasFormer(disk, container, address),
    );
  for (const { container } of disk.history.leases.ports())
    none('port lease', container, desired.resources.has(container as ResourceKey));
  for (const [id, { type }] of disk.layers) {
    if (type === 'snapshot') none('snapshot', id, disk.containers.has(id));
  }
  for (const id of supervisor.parts.unanswered.keys()) none('question', id, disk.containers.has(id));
  const failed = [...supervisor.parts.failures.keys()].filter((key) => !desired.resources.has(baseKey(key)));
  for (const key of failed) none('failure', key, supervisor.controller.hold(baseKey(key)) !== undefined);
  for (const { key } of disk.history.resources.images()) none('image binding', key, desired.resources.has(key));
  return found;
}

/** Containers that differ from the desired state without a reported reason. */
function unexplained({ supervisor, desired }: Rested): string[] {
  const observed = supervisor.observer.observe(null);
  const found: string[] = [];
  for (const resource of desired.resources.values()) {
    if (!isContainer(resource)) continue;
    const container = observed.containers.get(resource.key);
    const asDesired =
      container !== undefined && container.specHash === resource.specHash && isReady(container, resource.spec);
    if (asDesired || supervisor.controller.hold(resource.key)) continue;
    found.push(
      `${resource.key} is ${container?.running ? 'outdated' : container ? 'down' : 'absent'} and nothing says why`,
    );
  }
  return found;
}

/** Runs that no declaration wants, or not with this spec. */
function unwanted({ supervisor, disk, kernel, desired }: Rested): string[] {
  const found: string[] = [];
  for (const id of kernel.payloads.keys()) {
    const record = disk.containers.get(id);
    const key = record?.owner?.key;
    const resource = key && desired.resources.get(key);
    const { controller } = supervisor;
    if (key !== undefined && (controller.hold(key) ?? controller.hold(baseKey(key)))) continue;
    if (!resource) found.push(`${key ?? id} runs and is not declared`);
    else if (record.owner?.specHash !== resource.specHash && !supervisor.controller.hold(key)) {
      found.push(`${key} runs with an old declaration`);
    }
  }
  return found;
}

/** Ports that a container publishes although it is not declared with them, or the other way round. */
function misled({ kernel, disk }: Rested, { containerId }: Payload): boolean {
  const spec = disk.containers.get(containerId)?.owner?.written as ContainerSpec | undefined;
  const published = kernel.portsOf(containerId);
  const declared = spec?.ports ?? [];
  const matches = (port: PublishedPort, { hostPort, containerPort }: PortMapping) =>
    port.containerPort === containerPort && (hostPort === null || hostPort === port.hostPort);
  return (
    declared.some((wanted) => !published.some((port) => matches(port, wanted))) ||
    published.some((port) => !declared.some((wanted) => matches(port, wanted)))
  );
}

/** Runs in the network of another container that has another one by now. */
function leftBehind({ disk, kernel }: Rested): string[] {
  const records = [...disk.containers.values()];
  return [...kernel.payloads.values()].flatMap(({ containerId, netns }) => {
    const owner = disk.containers.get(containerId)?.owner ?? null;
    const host =
      owner &&
      ownerOfNetwork({ containers: { byKey: (key) => records.find((one) => one.owner?.key === key) } }, owner.key);
    const theirs = host && host.id !== containerId ? kernel.payloads.get(host.id) : undefined;
    if (!theirs || theirs.netns === netns) return [];
    return [`${owner?.key} is in a network that ${host?.owner?.key} has left`];
  });
}

/** Running containers that their network does not reach. */
function detached(rested: Rested): string[] {
  const { disk, kernel } = rested;
  return [...kernel.payloads.values()].flatMap((payload) => {
    const { containerId, netns } = payload;
    const record = disk.containers.get(containerId);
    if (netns === null || !record?.network) return [];
    const published = kernel.portsOf(containerId);
    const lost = record.network.ports.some(({ hostPort }) => !published.some((port) => port.hostPort === hostPort));
    const recorded = endpointsOf(record).map(({ network }) => endpointId(containerId, network));
    const elsewhere = endpointsOf(record).find(
      ({ network, ipv4 }) => (kernel.veths.get(endpointId(containerId, network))?.address ?? ipv4) !== ipv4,
    );
    if (elsewhere) return [`${record.owner?.key} has another address on ${elsewhere.network} than its record says`];
    const stray = kernel.endpointsOf(containerId).find((endpoint) => !recorded.includes(endpoint));
    if (stray !== undefined) return [`${record.owner?.key} is on ${stray}, which its record does not name`];
    const declared = observedReferences({
      key: record.owner?.key ?? null,
      engineName: record.engineName,
      spec: record.owner?.written,
    });
    if (declared.networks.length !== recorded.length)
      return [`${record.owner?.key} is on other networks than declared`];
    const isLinked = recorded.every((endpoint) => {
      const veth = kernel.veths.get(endpoint);
      return veth?.netns === netns && kernel.bridges.has(veth.bridge);
    });
    if (isLinked && !lost) {
      return misled(rested, payload) ? [`${record.owner?.key} publishes other ports than it is declared with`] : [];
    }
    return [`${record.owner?.key} runs without its ${lost ? 'ports' : 'link'}`];
  });
}

/** Violations at any rest, whatever failed before. */
export function restViolations(rested: Rested): string[] {
  return [...unexplained(rested), ...unwanted(rested)];
}

type Container = Desired<'container'>;

/** The container whose namespace it would live in is done, and took it along. */
function lendsNothing({ supervisor, desired }: Rested, container: Container): boolean {
  const owner = namespaceOwner(container, desired.resources);
  if (!owner || owner.key === container.key || !ownsSandbox(owner.spec)) return false;
  const host = supervisor.observer.observe(null).containers.get(owner.key);
  return host !== undefined && !host.running && !host.sandbox && host.exit?.code === 0;
}

/**
 * A host port it wants is held by a container that is to be recreated and cannot be: it waits for this one, or for what
 * does not come. What runs is not stopped for a change that has to wait.
 */
function portIsHeld(rested: Rested, { key, spec }: Container, asked: ReadonlySet<ResourceKey>): boolean {
  const { kernel, disk, desired } = rested;
  const reaches = (from: ResourceKey): boolean => {
    const resource = desired.resources.get(from);
    if (!resource || !isContainer(resource)) return false;
    return startDependencies(resource.references).some((need) => need === key || reaches(need));
  };
  return [...kernel.ports].some(([id, ports]) => {
    const holder = disk.containers.get(containerOf(id))?.owner?.key;
    const wanted = ports.some(({ hostPort }) => spec.ports.some((port) => port.hostPort === hostPort));
    if (!wanted || holder === undefined || holder === key) return false;
    const resource = desired.resources.get(holder);
    const stays = resource !== undefined && isContainer(resource) && !mustBeReady(rested, resource, asked);
    return reaches(holder) || stays;
  });
}

function isCompleted({ supervisor }: Rested, { key, spec, specHash }: Container): boolean {
  const observed = supervisor.observer.observe(null).containers.get(key);
  return observed?.specHash === specHash && satisfies(observed, spec, 'completed');
}

/** Whether a container has to run or be done, if everything that it needs can be had. */
function mustBeReady(rested: Rested, container: Container, asking: ReadonlySet<ResourceKey> = new Set()): boolean {
  const { supervisor, desired } = rested;
  if (asking.has(container.key)) return true;
  const asked = new Set([...asking, container.key]);
  const observed = supervisor.observer.observe(null).containers.get(container.key);
  if (observed?.stopOverride || supervisor.parts.defaultNetwork() === null) return false;
  if (lendsNothing(rested, container) || portIsHeld(rested, container, asked)) return false;
  const choice = 'could be adopted';
  const volumes = Object.values(container.references.volumes);
  if (volumes.some((key) => supervisor.controller.hold(key)?.message.includes(choice))) return false;
  for (const { key, condition } of startConditions(container.references, container.spec)) {
    const need = desired.resources.get(key);
    // What a client's container needs may be removed.
    if (!need && container.request) return false;
    if (!need || !isContainer(need)) continue;
    if (condition === 'completed' ? !isCompleted(rested, need) : !mustBeReady(rested, need, asked)) return false;
  }
  if (observed?.startError && !observed.running && observed.spec) {
    const { policy, max } = specOf(observed).restart;
    // Its client got the error.
    if (container.request && policy === 'no') return false;
    if (policy === 'on-failure' && max > 0 && observed.restarts.restarts >= max) return false;
  }
  if (!observed?.exit || observed.running) return true;
  // What never ran cannot be done, whatever the policy.
  if (!rested.kernel.launched.has(`${observed.id} ${observed.run}`)) return true;
  const { policy, max } = specOf(observed).restart;
  if (policy === 'no') return observed.exit.code === 0;
  return policy !== 'on-failure' || observed.exit.code === 0 || max === 0 || observed.restarts.restarts < max;
}

/** Records of what clients made are its declaration, under one name everywhere; what was to go with its run is gone. */
function clientsMisled({ supervisor, disk, kernel }: Rested): string[] {
  const found: string[] = [];
  const said = (all: readonly Desired[]) => all.map(({ key, specHash }) => `${key} ${specHash}`).sort();
  const [records, declared] = [said(declaredOnDisk(disk).all()), said(supervisor.clients.resources.all())];
  if (records.join() !== declared.join()) found.push(`records say ${records.join()}, declared is ${declared.join()}`);
  for (const { id, engineName, owner, run, restart } of disk.containers.values()) {
    if (!owner?.request) continue;
    if (disk.links.get(`/${engineName}`) !== id) found.push(`the name ${engineName} is not that of its container`);
    const others = disk.links.list('/', 1).filter((name) => name.id === id && name.path !== `/${engineName}`);
    for (const { path } of others) found.push(`${path} is left of a rename of ${owner.key}`);
    const isOver = run > 0 && !kernel.payloads.has(id) && !restart.requested && disk.exits.has(`${id} ${run}`);
    if (owner.request.autoRemove && isOver) found.push(`${owner.key} is to go and stays`);
  }
  return found;
}

/** Violations when nothing is in the way any more: all is as desired, nothing is left to do, nothing is left over. */
export function convergenceViolations(rested: Rested): string[] {
  const { supervisor, desired } = rested;
  const found = [
    ...restViolations(rested),
    ...leaks(rested),
    ...detached(rested),
    ...leftBehind(rested),
    ...clientsMisled(rested),
  ];
  for (const { address } of rested.kernel.moves) found.push(`${address} is on its way still`);
  const observed = supervisor.observer.observe(null);
  for (const resource of desired.resources.values()) {
    if (!isContainer(resource) || !mustBeReady(rested, resource)) continue;
    const container = observed.containers.get(resource.key);
    if (container && container.specHash === resource.specHash && isReady(container, resource.spec)) continue;
    const hold = supervisor.controller.hold(resource.key);
    found.push(`${resource.key} did not get ready: ${hold ? `${hold.reason}: ${hold.message}` : 'no reason given'}`);
  }
  const { ops } = supervisor.look();
  if (ops.length > 0) found.push(`left to do: ${ops.map(({ id }) => id).join(', ')}`);
  if (supervisor.controller.busy.size > 0) found.push(`busy: ${[...supervisor.controller.busy].join(', ')}`);
  return found;
}
