/** Containers in the network of another one: the kernel keeps a namespace as long as one of them runs, also when it leads nowhere. */
import type { ExecDriver } from '../../../drivers/contract/exec.ts';
import type { Networks } from '../../../drivers/contract/network.ts';
import type { Desired } from '../../../model/desired.ts';
import type { ContainerSpec } from '../../../model/kinds/container.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { containerSpecOf } from '../../../state/containers/written-spec.ts';
import { observedReferences, ownsSandbox } from '../../plan/references.ts';

export interface SharedNetworkPorts {
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly exec: Pick<ExecDriver, 'startedIn'>;
  readonly network: Pick<Networks, 'sandbox'>;
}

/** A container that others may share the network of, as it was made. */
interface NamespaceOwner {
  readonly record: ContainerRecord;
  readonly spec: ContainerSpec;
}

/**
 * The container at the end of a chain of `container:NAME`, as the records have it: its declaration may say something else
 * until it is replaced. Null where one of them is gone.
 */
function namespaceHolder(
  { containers }: Pick<SharedNetworkPorts, 'containers'>,
  host: ResourceKey | null,
): NamespaceOwner | null {
  const seen = new Set<ResourceKey>();
  for (let key = host; key !== null && !seen.has(key); ) {
    seen.add(key);
    const record = containers.byKey(key);
    if (!record?.owner) return null;
    const spec = containerSpecOf(record.owner);
    key = observedReferences({ key, engineName: record.engineName, spec }).networkContainer;
    if (key === null) return { record, spec };
  }
  return null;
}

/** As {@link namespaceHolder}; null also where the network is the host's. */
export function ownerOfNetwork(
  ports: Pick<SharedNetworkPorts, 'containers'>,
  host: ResourceKey | null,
): ContainerRecord | null {
  const holder = namespaceHolder(ports, host);
  return holder !== null && ownsSandbox(holder.spec) ? holder.record : null;
}

/** Whose network namespace a container is started in: its own, or that of the one that it shares with as that was made. */
export function namespaceToStartIn(
  ports: Pick<SharedNetworkPorts, 'containers'>,
  { key, spec, references }: Pick<Desired<'container'>, 'key' | 'references'> & { readonly spec: ContainerSpec },
): NamespaceOwner | null {
  if (references.networkContainer !== null) return namespaceHolder(ports, references.networkContainer);
  const record = ports.containers.byKey(key);
  return record === undefined ? null : { record, spec };
}

/**
 * What is amiss with a run that was started in the network of another container: that has another namespace by now. Nothing
 * while the other one has none: there is nowhere to go.
 */
export function leftBehind(
  ports: SharedNetworkPorts,
  containerId: string,
  host: ResourceKey | null,
): readonly string[] {
  const owner = ownerOfNetwork(ports, host);
  const sandbox = owner && ports.network.sandbox(owner.id);
  if (!sandbox || ports.exec.startedIn(containerId, sandbox.netnsFd) !== false) return [];
  return [`network of ${owner.owner?.key} was replaced`];
}
