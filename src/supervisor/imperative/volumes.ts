/** Volumes that clients make: named ones, and those without a name that go with their container. */
import { randomBytes } from 'node:crypto';
import { specHash } from '../../manifest/spec-hash.ts';
import type { Desired } from '../../model/desired.ts';
import type { ImperativeRequest } from '../../model/imperative/request.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { IMPERATIVE_APP, resourceKey } from '../../model/resource.ts';
import { newId } from '../../state/ids.ts';
import { imperative, volumeSpec } from './restored.ts';

/** Docker's mark of a volume that has no name of its own. */
export const ANONYMOUS = { 'com.docker.volume.anonymous': '' };

export function volumeNamed(name: string, request: ImperativeRequest): Desired<'volume'> {
  const spec = volumeSpec();
  const key = resourceKey('volume', IMPERATIVE_APP, name);
  return imperative('volume', { key, spec, specHash: specHash('volume', spec), request });
}

/** Gives every mount without a source, and every volume of the image that nothing is mounted at, a volume of its own. */
export function withAnonymousVolumes(
  spec: ContainerSpec,
  imageVolumes: readonly string[],
  request: ImperativeRequest,
): { readonly spec: ContainerSpec; readonly made: readonly Desired<'volume'>[] } {
  const made: Desired<'volume'>[] = [];
  const name = (): string => {
    const id = newId(randomBytes);
    made.push(volumeNamed(id, { ...request, body: { Name: id, Labels: ANONYMOUS }, autoRemove: true }));
    return id;
  };
  const own = spec.volumes.map((mount) =>
    mount.type === 'volume' && mount.source === null ? { ...mount, source: name() } : mount,
  );
  const covered = new Set(own.map(({ target }) => target));
  const ofImage = imageVolumes
    .filter((target) => !covered.has(target))
    .map((target) => ({ type: 'volume' as const, source: name(), target, readOnly: false, sizeBytes: null }));
  return { spec: { ...spec, volumes: [...own, ...ofImage] }, made };
}

/** A volume that a container names and nothing has made yet. */
export interface NewVolume {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

export function volumeOnDemand({ name, labels }: NewVolume, request: ImperativeRequest): Desired<'volume'> {
  return volumeNamed(name, { ...request, body: { Name: name, Labels: labels }, autoRemove: false });
}
