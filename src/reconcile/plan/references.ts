import type { Desired, References } from '../../model/desired.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { DependencySpec } from '../../model/kinds/short-forms.ts';
import { networkMode, ownsNamespace } from '../../model/network-mode.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import type { Kind, ResourceKey } from '../../model/resource.ts';
import { parseKey, resourceKey } from '../../model/resource.ts';

/** The bridge that containers without a network of their own use; the supervisor's, declared by nobody. */
export const DEFAULT_NETWORK: ResourceKey = 'network//bridge';

export function isContainer(desired: Desired): desired is Desired<'container'> {
  return desired.kind === 'container';
}

/** The normalised spec a container was made from; the state store keeps it in this form. */
export function specOf(container: Pick<ObservedContainer, 'spec'>): ContainerSpec {
  return container.spec as ContainerSpec;
}

/** True when the container has a network namespace of its own: all modes but `host` and `container:NAME`. */
export function ownsSandbox(spec: ContainerSpec): boolean {
  return ownsNamespace(networkMode(spec.network));
}

/** True when the container is in the network namespace of the host. */
export function usesHostNetwork(spec: ContainerSpec): boolean {
  return networkMode(spec.network).type === 'host';
}

/** Names resolve in the own app, or as `app/name`. */
function resolve(kind: Kind, app: string, name: string): ResourceKey {
  const slash = name.indexOf('/');
  return slash < 0 ? resourceKey(kind, app, name) : resourceKey(kind, name.slice(0, slash), name.slice(slash + 1));
}

/** What a container refers to, from the spec it was made from; needed once no manifest declares it any more. */
export function observedReferences(container: Pick<ObservedContainer, 'key' | 'engineName' | 'spec'>): References {
  const { app } = parseKey(container.key ?? resourceKey('container', '', container.engineName));
  const spec = specOf(container);
  const mode = networkMode(spec.network);
  const named = spec.volumes.filter((mount) => mount.type === 'volume' && mount.source !== null);
  return {
    image: null,
    volumes: Object.fromEntries(named.map((mount) => [mount.target, resolve('volume', app, mount.source ?? '')])),
    network: mode.type === 'network' ? resolve('network', app, mode.name) : null,
    networkContainer: mode.type === 'container' ? resolve('container', app, mode.name) : null,
    links: spec.links.map((link) => resolve('container', app, link.target)),
    volumesFrom: spec.volumesFrom.map((from) => resolve('container', app, from.container)),
    // Left out in records of containers that were made before the field existed.
    dependsOn: (spec.dependsOn ?? []).map((need) => resolve('container', app, need.container)),
    bases: [],
  };
}

/** Containers that must be up before this one starts. */
export function startDependencies({ networkContainer, links, dependsOn }: References): readonly ResourceKey[] {
  return [...(networkContainer === null ? [] : [networkContainer]), ...links, ...dependsOn];
}

export type DependencyCondition = DependencySpec['condition'];

/**
 * What each of them has to be. One whose network is shared only has to run: a helper in it may be what makes it ready.
 */
export function startConditions(
  references: References,
  spec: ContainerSpec,
): readonly { readonly key: ResourceKey; readonly condition: DependencyCondition }[] {
  const { networkContainer, links, dependsOn } = references;
  return [
    ...(networkContainer === null ? [] : [{ key: networkContainer, condition: 'started' as const }]),
    ...links.map((key) => ({ key, condition: 'ready' as const })),
    ...dependsOn.map((key, index) => ({ key, condition: spec.dependsOn[index]?.condition ?? 'ready' })),
  ];
}

/**
 * The container whose network namespace this one lives in: itself, or the end of a chain of `container:NAME`, which is
 * no circle in a valid manifest. Undefined when that is not declared.
 */
export function namespaceOwner(
  desired: Desired<'container'>,
  resources: ReadonlyMap<ResourceKey, Desired>,
): Desired<'container'> | undefined {
  let owner = desired;
  for (let next = owner.references.networkContainer; next !== null; next = owner.references.networkContainer) {
    const resource = resources.get(next);
    if (!resource || !isContainer(resource)) return undefined;
    owner = resource;
  }
  return owner;
}

/** The network it is attached to: its own, the default bridge, or none. */
export function attachedNetwork(references: References, spec: ContainerSpec): ResourceKey | null {
  return networkMode(spec.network).type === 'bridge' ? DEFAULT_NETWORK : references.network;
}

/** Keys of the containers that are attached to a network. */
export function attachedTo(network: ResourceKey, resources: ReadonlyMap<ResourceKey, Desired>): readonly ResourceKey[] {
  return [...resources.values()].flatMap((desired) =>
    isContainer(desired) && attachedNetwork(desired.references, desired.spec) === network ? [desired.key] : [],
  );
}

/** Everything a resource needs, directly. */
export function dependenciesOf(desired: Desired): readonly ResourceKey[] {
  if (!isContainer(desired)) return desired.references.bases;
  const { references, spec } = desired;
  const single = [references.image, attachedNetwork(references, spec)].filter((key) => key !== null);
  return [...single, ...Object.values(references.volumes), ...startDependencies(references), ...references.volumesFrom];
}
