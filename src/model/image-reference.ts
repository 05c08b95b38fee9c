/** Names of images as people write them for registries: `nginx`, `me/app:2`, `registry.example:5000/team/app@sha256:…`. */
import { type Parsed, parsed, refused } from './kinds/short-forms.ts';

export interface ImageReference {
  /** host[:port]; `docker.io` for Docker Hub. */
  readonly registry: string;
  /** Path on the registry: `library/nginx`. */
  readonly repository: string;
  /** `latest` when neither tag nor digest is written. */
  readonly tag: string | null;
  /** sha256 in hex; it decides where both are written. */
  readonly digest: string | null;
}

export const DOCKER_HUB = 'docker.io';
const HUB_ALIASES = ['index.docker.io', 'registry-1.docker.io'];
/** The grammar of the distribution project's reference package. */
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const HOST =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:([0-9a-f]{64})$/;
const MAX_LENGTH = 512;

/** The first part is a host when it looks like one: with a dot or a port, or localhost. */
const isHost = (part: string): boolean => /[.:]/.test(part) || part === 'localhost';

/** A registry as written, in the one form used for it here. */
export function registryName(text: string): string {
  return HUB_ALIASES.includes(text) ? DOCKER_HUB : text;
}

/** host and repository of a name without tag and digest. */
function split(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(0, slash));
  const named = slash >= 0 && isHost(first);
  const registry = named ? registryName(first) : DOCKER_HUB;
  const path = named ? name.slice(slash + 1) : name;
  return { registry, repository: registry === DOCKER_HUB && !path.includes('/') ? `library/${path}` : path };
}

export function parseImageReference(text: string): Parsed<ImageReference> {
  const shown = JSON.stringify(text.slice(0, 100));
  if (text.length > MAX_LENGTH) return refused(`${shown}… is too long for the name of an image`);
  const at = text.indexOf('@');
  const digest = at < 0 ? null : DIGEST.exec(text.slice(at + 1))?.[1];
  if (digest === undefined) return refused(`${shown} has no valid digest; write @sha256: and 64 hex digits`);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(':');
  const tagged = colon >= 0 && !named.includes('/', colon);
  const tag = tagged ? named.slice(colon + 1) : null;
  if (tag !== null && !TAG.test(tag)) return refused(`${shown} has no valid tag`);
  const { registry, repository } = split(tagged ? named.slice(0, colon) : named);
  if (!HOST.test(registry)) return refused(`${shown} names no valid registry`);
  if (!repository.split('/').every((part) => COMPONENT.test(part))) {
    return refused(`${shown} is not the name of an image; write for example nginx:1.27 or registry.example/team/app`);
  }
  return parsed({ registry, repository, tag: tag ?? (digest === null ? 'latest' : null), digest });
}

/** Where it is kept on this host and what people call it: `nginx`, `me/app`, `registry.example/team/app`. */
export function familiarRepository({ registry, repository }: Pick<ImageReference, 'registry' | 'repository'>): string {
  if (registry !== DOCKER_HUB) return `${registry}/${repository}`;
  return repository.replace(/^library\//, '');
}

export function formatReference(reference: ImageReference): string {
  const { tag, digest } = reference;
  return `${familiarRepository(reference)}${tag === null ? '' : `:${tag}`}${digest === null ? '' : `@sha256:${digest}`}`;
}

/** True for what can only be meant as a name on a registry or a tag: with `/`, `:` or `.`, and not an image id. */
export function looksLikeReference(text: string): boolean {
  return /[/:.@]/.test(text) && !/^sha256:[0-9a-f]+$/.test(text);
}
