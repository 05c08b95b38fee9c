import type { ImperativeRequest } from '../../model/imperative/request.ts';
import { parseKey, type ResourceKey, resourceKey } from '../../model/resource.ts';

/** Whose data it is. */
export type VolumeOwner =
  /** Declared in a manifest. */
  | { readonly type: 'named'; readonly key: ResourceKey }
  /** Made for a VOLUME of an image; outlives the recreation of its container. */
  | { readonly type: 'anonymous'; readonly containerKey: ResourceKey; readonly target: string }
  /** Of a Docker 1.4 root. */
  | { readonly type: 'foreign' };

export interface VolumeRecord {
  readonly id: string;
  /** Host directory with the data. */
  readonly path: string;
  readonly writable: boolean;
  readonly owner: VolumeOwner;
  /** Empty for volumes that no manifest declares. */
  readonly specHash: string;
  /** `onRemove` of its last declaration. */
  readonly onRemove: 'keep' | 'delete';
  /** Data that no manifest declares any more. Of an anonymous volume it follows from whether its container is there. */
  readonly released: boolean;
  /** Of a volume that no manifest declared: this record is its declaration. */
  readonly request?: ImperativeRequest;
}

/** The part of an id that distinguishes the anonymous volumes of one container. */
const SHORT_ID = 12;

/**
 * What people and plans call a volume; null for one of Docker's. That of an anonymous one has a colon in it, as no declared
 * name can.
 */
export function volumeKey({ owner, id }: Pick<VolumeRecord, 'owner' | 'id'>): ResourceKey | null {
  if (owner.type === 'foreign') return null;
  if (owner.type === 'named') return owner.key;
  const { app, name } = parseKey(owner.containerKey);
  return resourceKey('volume', app, `${name}:${id.slice(0, SHORT_ID)}`);
}

/** The container whose anonymous volume a key names; null for a key of anything else. */
export function containerOfVolume(key: string): ResourceKey | null {
  const [, app, container] = /^volume\/([^/]+)\/([^/:]+):[^/]*$/.exec(key) ?? [];
  return app === undefined || container === undefined ? null : resourceKey('container', app, container);
}
