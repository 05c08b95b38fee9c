/** The kinds of resource a manifest may declare, in the order they are brought up. */
export const KINDS = ['image', 'volume', 'network', 'container'] as const;
export type Kind = (typeof KINDS)[number];

/** `kind/app/name`: the identity of a resource. */
export type ResourceKey = `${Kind}/${string}/${string}`;

/** Where in a manifest something was written. Line and column count from 1; both are 0 for what no file declares. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** App and resource names: DNS labels, so that they can stand in host names, interfaces and paths. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** The app of what clients make without a manifest, as the Docker API does. No manifest is of it: `@` starts no name. */
export const IMPERATIVE_APP = '@docker';
/** Names of its resources: those of Docker. */
export const IMPERATIVE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;

export function resourceKey(kind: Kind, app: string, name: string): ResourceKey {
  return `${kind}/${app}/${name}`;
}

export function parseKey(key: ResourceKey): { kind: Kind; app: string; name: string } {
  const [kind, app, name] = key.split('/') as [Kind, string, string];
  return { kind, app, name };
}

/** `file:line:column`, the form editors and terminals make clickable; what no file declares has a name alone. */
export function formatPosition(position: SourcePosition): string {
  if (position.line === 0) return position.file;
  return `${position.file}:${position.line}:${position.column}`;
}
