/** What clients of Docker call networks and volumes. Pure. */
import { createHash } from 'node:crypto';
import { IMPERATIVE_APP, parseKey, type ResourceKey } from '../model/resource.ts';
import type { VolumeRecord } from '../state/volumes/volume-record.ts';

/** `<app>-<name>` of what a manifest declares; what a client made has the name that it was given. */
export function engineNameOf(key: ResourceKey): string {
  const { app, name } = parseKey(key);
  return app === '' || app === IMPERATIVE_APP ? name : `${app}-${name}`;
}

/** Volumes without a name are called by their id. */
export function volumeNameOf({ id, owner }: Pick<VolumeRecord, 'id' | 'owner'>): string {
  return owner.type === 'named' ? engineNameOf(owner.key) : id;
}

/** An id of 64 hexadecimal digits for what has none of its own. */
export function derivedId(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}

const PREDEFINED: ReadonlySet<string> = new Set(['bridge', 'host', 'none']);

/** Networks that always exist. */
export const isPredefined = (network: string): boolean => PREDEFINED.has(network);
