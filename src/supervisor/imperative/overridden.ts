/** Declarations of manifests with what clients changed of them. */
import { specHash } from '../../manifest/spec-hash.ts';
import type { Desired } from '../../model/desired.ts';
import type { ContainerOverride } from '../../model/imperative/override.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';

/** The declaration with what a client changed of it; as it is where that was a change of another one. */
export function overridden(desired: Desired, override: ContainerOverride | undefined): Desired {
  if (override === undefined || desired.kind !== 'container' || desired.specHash !== override.of) return desired;
  const { resources, restart } = override;
  const spec = { ...(desired as Desired<'container'>).spec, resources, restart };
  return Object.freeze({ ...desired, spec, specHash: specHash('container', spec, desired.contentHashes), override });
}

/** Those that earlier supervisors allowed, from the records. */
export function restoredOverrides({ containers }: { readonly containers: Pick<ContainerStore, 'all'> }) {
  return containers.all().flatMap(({ owner }) => (owner?.override ? [[owner.key, owner.override] as const] : []));
}
