/** What an op is of: its declaration, and the record of its container. */
import type { Desired, DesiredState, SpecOfKind } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { Kind, ResourceKey } from '../../model/resource.ts';
import { parseKey } from '../../model/resource.ts';
import { baseKey, isNext, successorOf } from '../../model/update.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import { observedReferences } from '../plan/references.ts';

/** What manifests declare, as it is accepted now. */
export interface Declared {
  desired(): DesiredState;
}

/** Records of containers by their id. */
export interface Recorded {
  readonly containers: Pick<ContainerStore, 'get'>;
}

/** The declaration under a key; that of a successor is derived from its container's. */
function declarationOf({ resources }: DesiredState, key: ResourceKey): Desired | undefined {
  if (!isNext(key)) return resources.get(key);
  const base = resources.get(baseKey(key));
  return base?.kind === 'container' ? successorOf(base as Desired<'container'>) : undefined;
}

/** The declaration an op carries out. @throws TsdError TSD_BUG when it is gone, which a plan cannot ask for. */
export function desiredOf<K extends Kind>(
  declared: Declared,
  kind: K,
  key: ResourceKey,
): Desired<K> & { spec: SpecOfKind[K] } {
  const desired = declarationOf(declared.desired(), key);
  if (!desired || desired.kind !== kind || parseKey(key).kind !== kind) {
    throw new TsdError('TSD_BUG', `${key} is not declared`, { key });
  }
  return desired as Desired<K>;
}

/** What a container is started or connected as: its declaration, or what it was made from while that is to be replaced. */
export function declarationFor(
  ports: Declared & Recorded,
  { key, containerId, asMade }: { readonly key: ResourceKey; readonly containerId: string; readonly asMade?: string },
): Desired<'container'> {
  const desired = desiredOf(ports, 'container', key);
  const { owner, engineName } = recordOf(ports, containerId);
  if (asMade === undefined || owner === null) return desired;
  const { specHash, contentHashes, files } = owner;
  const spec = containerSpecOf(owner);
  const references = { ...observedReferences({ key, engineName, spec }), image: desired.references.image };
  return { ...desired, spec, specHash, contentHashes, files: files ?? {}, references };
}

/** @throws TsdError TSD_BUG. */
export function recordOf({ containers }: Recorded, containerId: string): ContainerRecord {
  const record = containers.get(containerId);
  if (!record) throw new TsdError('TSD_BUG', `container ${containerId} is not recorded`);
  return record;
}
