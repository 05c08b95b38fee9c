/** Declarations as the records of an earlier supervisor have them. */
import { NO_REFERENCES } from '../../manifest/resolve/references.ts';
import type { Desired, References } from '../../model/desired.ts';
import { type ImperativeRequest, placeOf } from '../../model/imperative/request.ts';
import { KIND_SCHEMAS } from '../../model/kinds/kinds.ts';
import { type Kind, parseKey } from '../../model/resource.ts';
import { observedReferences } from '../../reconcile/plan/references.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { containerSpecOf, networkSpecOf } from '../../state/containers/written-spec.ts';
import type { NetworkRecord } from '../../state/history/network-record.ts';
import type { ResourceStore } from '../../state/history/resource-store.ts';
import type { VolumeRecord } from '../../state/volumes/volume-record.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';

type Declaration<K extends Kind> = Pick<Desired<K>, 'key' | 'spec' | 'specHash'> & {
  readonly request: ImperativeRequest;
  readonly references?: References;
};

/** The declaration of something that a client asked for. Its name is the one that Docker's clients use. */
export function imperative<K extends Kind>(kind: K, declaration: Declaration<K>): Desired<K> {
  const { key, spec, request } = declaration;
  const { app, name } = parseKey(key);
  return {
    contentHashes: {},
    references: NO_REFERENCES,
    ...declaration,
    kind,
    app,
    name,
    engineName: name,
    written: spec,
    source: placeOf(request),
    positions: {},
  };
}

/** Fields that are newer than the record have their defaults. */
const containerDefaults = (): object => KIND_SCHEMAS.container.schema.parse({ image: 'none' });

export function volumeSpec(): Desired<'volume'>['spec'] {
  return KIND_SCHEMAS.volume.schema.parse({ onRemove: 'delete' });
}

/** Null for a container that no client made. @internal */
export function declaredBy({ owner, engineName }: ContainerRecord): Desired<'container'> | null {
  if (owner?.request === undefined) return null;
  const { key, specHash, contentHashes, files, request } = owner;
  const spec = { ...containerDefaults(), ...containerSpecOf(owner) };
  const references = observedReferences({ key, engineName, spec });
  return {
    ...imperative('container', { key, spec, specHash, request, references }),
    contentHashes,
    ...(files && { files }),
  };
}

function declaredVolume({ owner, specHash, released, request }: VolumeRecord): Desired<'volume'> | null {
  if (owner.type !== 'named' || request === undefined || released) return null;
  return imperative('volume', { key: owner.key, spec: volumeSpec(), specHash, request });
}

function declaredNetwork({ key, specHash, request, ...record }: NetworkRecord): Desired<'network'> | null {
  if (request === undefined) return null;
  const spec = { ...KIND_SCHEMAS.network.schema.parse({}), ...networkSpecOf(record) };
  return imperative('network', { key, spec, specHash, request });
}

export interface RestoredRecords {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly volumes: Pick<VolumeStore, 'all'>;
  readonly history: { readonly resources: Pick<ResourceStore, 'networks'> };
}

export function restoredDeclarations({ containers, volumes, history }: RestoredRecords): readonly Desired[] {
  const networks = history.resources.networks().map(declaredNetwork);
  const declared = [...containers.all().map(declaredBy), ...volumes.all().map(declaredVolume), ...networks];
  return declared.filter((desired) => desired !== null);
}
