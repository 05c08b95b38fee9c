import type { Desired } from '../../model/desired.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { nextKey, oldKey } from '../../model/update.ts';
import type { Cause } from '../op.ts';
import type { Pass } from './order/pass.ts';
import { ownsSandbox } from './references.ts';

/**
 * Reports whether the container needs no plan: it runs as declared, nothing is missing, and nothing it depends on changes.
 * False when in doubt. A full pass calls it once per container, so it must stay cheap.
 */
export function isSettled(
  { observed }: Pass,
  desired: Desired<'container'>,
  container: ObservedContainer,
  recreated: ReadonlyMap<ResourceKey, Cause>,
): boolean {
  return (
    isAsDeclared(desired, container) &&
    recreated.size === 0 &&
    isUnbound(desired) &&
    observed.updates?.has(desired.key) !== true &&
    hasImage(container, desired.references.image, observed.images) &&
    !besideOf(desired).some((key) => observed.containers.has(key))
  );
}

/** Cache per declaration: building the keys costs more than the lookup. */
const beside = new WeakMap<Desired<'container'>, readonly ResourceKey[]>();

function besideOf(desired: Desired<'container'>): readonly ResourceKey[] {
  const known = beside.get(desired);
  if (known) return known;
  const keys = [nextKey(desired.key), oldKey(desired.key)];
  beside.set(desired, keys);
  return keys;
}

function isAsDeclared({ specHash, spec }: Desired<'container'>, container: ObservedContainer): boolean {
  const { running, stopOverride, restartRequested, sandbox, drift, health } = container;
  return (
    running &&
    container.specHash === specHash &&
    !stopOverride &&
    !restartRequested &&
    (sandbox || !ownsSandbox(spec)) &&
    drift.length === 0 &&
    health?.state !== 'unhealthy'
  );
}

/** Reports whether the container is independent of other containers. */
function isUnbound({ spec, references }: Desired<'container'>): boolean {
  const { networkContainer, namespaceContainers = [] } = references;
  const ownNamespaces = networkContainer === null && namespaceContainers.length === 0;
  return spec.links.length === 0 && ownNamespaces && spec.onDependencyRestart === 'nothing';
}

function hasImage(
  { imageId }: ObservedContainer,
  key: ResourceKey | null,
  images: Pass['observed']['images'],
): boolean {
  const declared = key === null ? null : (images.get(key)?.imageId ?? null);
  return declared === null || imageId === null || declared === imageId;
}
