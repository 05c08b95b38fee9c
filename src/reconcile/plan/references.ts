import type { Desired, References } from '../../model/desired.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { joinedContainers } from '../../model/kinds/namespace-forms.ts';
import { membershipsOf } from '../../model/kinds/network-membership.ts';
import type { DependencySpec } from '../../model/kinds/short-forms.ts';
import { networkKey, networkMode, ownsNamespace } from '../../model/network-mode.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import type { Kind, ResourceKey } from '../../model/resource.ts';
import { parseKey, resourceKey } from '../../model/resource.ts';

export function isContainer(desired: Desired): desired is Desired<'container'> {
  return desired.kind === 'container';
}

/** Returns the normalised spec a container was made from, as the state store keeps it. */
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

/** Resolves `name` in the given app, or `app/name` in another one. */
export function resolveReference(kind: Kind, app: string, name: string): ResourceKey {
  const slash = name.indexOf('/');
  return slash < 0 ? resourceKey(kind, app, name) : resourceKey(kind, name.slice(0, slash), name.slice(slash + 1));
}

/** Returns the references of a container from the spec it was made from. Works for undeclared containers, too. */
export function observedReferences(container: Pick<ObservedContainer, 'key' | 'engineName' | 'spec'>): References {
  const { app } = parseKey(container.key ?? resourceKey('container', '', container.engineName));
  const spec = specOf(container);
  const mode = networkMode(spec.network);
  const joined = joinedContainers(spec).map(({ name }) => resolveReference('container', app, name));
  const named = spec.volumes.filter((mount) => mount.type === 'volume' && mount.source !== null);
  return {
    image: null,
    volumes: Object.fromEntries(
      named.map((mount) => [mount.target, resolveReference('volume', app, mount.source ?? '')]),
    ),
    networks: membershipsOf(spec).map(({ network }) => networkKey(app, network)),
    networkContainer: mode.type === 'container' ? resolveReference('container', app, mode.name) : null,
    ...(joined.length > 0 && { namespaceContainers: joined }),
    links: spec.links.map((link) => resolveReference('container', app, link.target)),
    volumesFrom: spec.volumesFrom.map((from) => resolveReference('container', app, from.container)),
    // Absent in records of containers from before the field existed.
    dependsOn: (spec.dependsOn ?? []).map((need) => resolveReference('container', app, need.container)),
    bases: [],
  };
}

/** Returns the containers that must be up before this one starts. */
export function startDependencies(references: References): readonly ResourceKey[] {
  return [...namespaceHolders(references), ...references.links, ...references.dependsOn];
}

/** Returns the containers in whose namespaces this one runs. */
function namespaceHolders({ networkContainer, namespaceContainers = [] }: References): readonly ResourceKey[] {
  return [...(networkContainer === null ? [] : [networkContainer]), ...namespaceContainers];
}

export type DependencyCondition = DependencySpec['condition'];

/**
 * Returns the condition each of them must meet. The owner of a shared namespace only has to run: this container may be what
 * makes it ready.
 */
export function startConditions(
  references: References,
  spec: ContainerSpec,
): readonly { readonly key: ResourceKey; readonly condition: DependencyCondition }[] {
  const { links, dependsOn } = references;
  return [
    ...namespaceHolders(references).map((key) => ({ key, condition: 'started' as const })),
    ...links.map((key) => ({ key, condition: 'ready' as const })),
    ...dependsOn.map((key, index) => ({ key, condition: spec.dependsOn[index]?.condition ?? 'ready' })),
  ];
}

/**
 * Returns the container that owns the network namespace: itself, or the end of the chain of `container:NAME`, which has no
 * cycle in a valid manifest. Undefined when the owner is not declared.
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

/** Returns the keys of the declared containers on a network. */
export function attachedTo(network: ResourceKey, resources: ReadonlyMap<ResourceKey, Desired>): readonly ResourceKey[] {
  return [...resources.values()].flatMap((desired) =>
    isContainer(desired) && desired.references.networks.includes(network) ? [desired.key] : [],
  );
}

/** Returns the direct dependencies of a resource. */
export function dependenciesOf(desired: Desired): readonly ResourceKey[] {
  if (!isContainer(desired)) return desired.references.bases;
  const { references } = desired;
  const image = references.image === null ? [] : [references.image];
  return [
    ...image,
    ...references.networks,
    ...Object.values(references.volumes),
    ...startDependencies(references),
    ...references.volumesFrom,
  ];
}
