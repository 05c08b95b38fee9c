/** Files of the host that a container's specification names, with absolute paths as a DesiredState has them. */
import type { DesiredState } from './desired.ts';
import type { ContainerSpec } from './kinds/container.ts';
import type { ResourceKey } from './resource.ts';

/** Those that are mounted. */
export function bindSources({ volumes }: Pick<ContainerSpec, 'volumes'>): string[] {
  return volumes.flatMap(({ type, source }) => (type === 'bind' && source !== null ? [source] : []));
}

/** What a person types where a bind source is missing. */
export function missingBindHint(source: string): string {
  const path = /^[\w@%+=:,./-]+$/.test(source) ? source : `'${source.replaceAll("'", "'\\''")}'`;
  return `Create it with \`mkdir -p ${path}\`, or write \`create: true\` at that mount.`;
}

/** Those that variables are read from. */
export function environmentFiles({ envFile, env }: Pick<ContainerSpec, 'envFile' | 'env'>): string[] {
  return [...envFile, ...Object.values(env).flatMap((value) => (typeof value === 'object' ? [value.fromFile] : []))];
}

/** Containers that name a file. */
export function usersOf({ resources }: DesiredState, path: string): ResourceKey[] {
  return [...resources.values()].flatMap(({ kind, key, spec }) => {
    const container = spec as ContainerSpec;
    const names = kind === 'container' && [...bindSources(container), ...environmentFiles(container)].includes(path);
    return names ? [key] : [];
  });
}
