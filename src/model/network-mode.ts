/** The ways a container can be on the network: the one parser of what `network` says in manifests and in records. */
import { type ResourceKey, resourceKey } from './resource.ts';

/** The default bridge, for containers without a declared network. It belongs to the supervisor; no manifest declares it. */
export const DEFAULT_NETWORK: ResourceKey = 'network//bridge';

export type NetworkMode =
  /** The default bridge, no network at all, or the namespace of the host. */
  | { readonly type: 'bridge' | 'none' | 'host' }
  /** The namespace of another container, by its name: `db` or `app/db`. */
  | { readonly type: 'container'; readonly name: string }
  /** A declared network, by its name: `back` or `app/back`. */
  | { readonly type: 'network'; readonly name: string };

const BRIDGE: NetworkMode = { type: 'bridge' };
const NONE: NetworkMode = { type: 'none' };
const HOST: NetworkMode = { type: 'host' };

const SHARED = 'container:';

/** Parses a network mode; every text is a valid one. Specs and records keep the text. */
export function networkMode(text: string): NetworkMode {
  switch (text) {
    case 'bridge':
      return BRIDGE;
    case 'none':
      return NONE;
    case 'host':
      return HOST;
    default:
      return text.startsWith(SHARED)
        ? { type: 'container', name: text.slice(SHARED.length) }
        : { type: 'network', name: text };
  }
}

/** Key of a network as a container of an app names it: `bridge`, `back`, `app/back`. */
export function networkKey(app: string, name: string): ResourceKey {
  if (networkMode(name).type === 'bridge') return DEFAULT_NETWORK;
  const slash = name.indexOf('/');
  return slash < 0
    ? resourceKey('network', app, name)
    : resourceKey('network', name.slice(0, slash), name.slice(slash + 1));
}

/** What a manifest says to share the network of a container. */
export const sharedNetwork = (container: string): string => SHARED + container;

/** True where the container has a network namespace of its own, be it empty. */
export const ownsNamespace = ({ type }: NetworkMode): boolean => type !== 'host' && type !== 'container';

/** True where the container has an address on a bridge: the default one or that of a declared network. */
export const isBridged = ({ type }: NetworkMode): boolean => type === 'bridge' || type === 'network';

/** True for a word that means a mode, or begins one: no network may be called so. */
export const isReservedName = (name: string): boolean => name === 'container' || networkMode(name).type !== 'network';
