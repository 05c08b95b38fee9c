import type { Desired } from '../../model/desired.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { nextKey, oldKey } from '../../model/update.ts';
import type { Cause } from '../op.ts';
import type { Pass } from './pass.ts';
import { ownsSandbox } from './references.ts';

/**
 * True when planning the container at length would come to nothing, as is plain at a glance: it runs as declared, lacks
 * nothing, and nothing of what its kind of declaration depends on is on the move. A look at a thousand containers is a
 * look at a thousand of these. In doubt false.
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

/** Made once for a declaration: to put a key together costs more than to look it up. */
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

/** What becomes of other containers does not change it. */
function isUnbound({ spec, references }: Desired<'container'>): boolean {
  return spec.links.length === 0 && references.networkContainer === null && spec.onDependencyRestart === 'nothing';
}

function hasImage(
  { imageId }: ObservedContainer,
  key: ResourceKey | null,
  images: Pass['observed']['images'],
): boolean {
  const declared = key === null ? null : (images.get(key)?.imageId ?? null);
  return declared === null || imageId === null || declared === imageId;
}
