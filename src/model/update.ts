/** Updates of containers: one spec takes the place of another that ran well. Pure. */
import type { Desired } from './desired.ts';
import { isImperative } from './imperative/request.ts';
import type { ContainerSpec } from './kinds/container.ts';
import type { ResourceKey } from './resource.ts';

/** The part of what a container is made from by which an update distinguishes versions. */
export interface Version {
  readonly specHash: string;
  /** Null where it is not known yet. */
  readonly imageId: string | null;
}

/** Which update ops belong to. */
export interface UpdateTerms {
  readonly key: ResourceKey;
  readonly from: Version;
  readonly to: Version;
  readonly order: 'stop-first' | 'start-first';
}

/** An update that has not proved itself yet, or one that failed and whose spec is not tried again. */
export interface ObservedUpdate extends UpdateTerms {
  /** On the boot clock of this boot; 0 when it began in another one. */
  readonly startedAtBootMs: number;
  /** From when its time runs: it began, or this supervisor took it over; before that no supervisor could continue it. */
  readonly timeFromBootMs: number;
  /** When name and ports moved to the successor; null before. */
  readonly cutOverAtBootMs: number | null;
  /** Why it failed; null while it runs. */
  readonly failure: string | null;
  /** What to do about the op that failed. Left out, none did. */
  readonly hint?: string | undefined;
  /** It failed and stays as it is: there is nothing to go back to, or the manifest wants it so. */
  readonly final: boolean;
}

type Beside = 'next' | 'old' | 'former';

/** Manifests declare no name with a dot, and Docker knows none with a colon: these keys are never anybody else's. */
function beside(key: ResourceKey, what: Beside): ResourceKey {
  return `${key}${isImperative(key) ? ':' : '.'}${what}`;
}

/** What stands beside the name of a container; null for a key of its own. */
function besideOf(key: ResourceKey): { readonly base: ResourceKey; readonly what: Beside } | null {
  if (!key.startsWith('container/')) return null;
  const found = (isImperative(key) ? /^(.*):(next|old|former)$/ : /^(.*)\.(next|old|former)$/).exec(key);
  return found && { base: found[1] as ResourceKey, what: found[2] as Beside };
}

/** The successor of a container until it takes over. */
export function nextKey(key: ResourceKey): ResourceKey {
  return beside(key, 'next');
}

/** The predecessor of a container while its connections drain. */
export function oldKey(key: ResourceKey): ResourceKey {
  return beside(key, 'old');
}

/** Holds the addresses that a container had until it took over those of its predecessor. No container has this key. */
export function formerKey(key: ResourceKey): ResourceKey {
  return beside(key, 'former');
}

/** The container that a successor or predecessor belongs to; any other key is its own. */
export function baseKey(key: ResourceKey): ResourceKey {
  return besideOf(key)?.base ?? key;
}

export function isNext(key: ResourceKey): boolean {
  return besideOf(key)?.what === 'next';
}

/** A successor's declaration: that of its container under another name, without the ports and addresses it does not have yet. */
export function successorOf(desired: Desired<'container'>): Desired<'container'> {
  return {
    ...desired,
    key: nextKey(desired.key),
    name: `${desired.name}.next`,
    engineName: `${desired.engineName}.next`,
    spec: withoutPlaces(desired.spec),
  };
}

function withoutPlaces(spec: ContainerSpec): ContainerSpec {
  const anywhere = { ipv4: null, ipv6: null, mac: null };
  const networks = spec.networks?.map((membership) => ({ ...membership, ...anywhere })) ?? null;
  return { ...spec, ports: [], address: null, networks };
}

/** Reports whether two versions are equal in all known parts. */
export function sameVersion(a: Version, b: Version): boolean {
  return a.specHash === b.specHash && (a.imageId === null || b.imageId === null || a.imageId === b.imageId);
}
