/** Files of the host that a container's specification names, with absolute paths as a DesiredState has them. */
import type { DesiredState } from './desired.ts';
import type { ContainerSpec } from './kinds/container.ts';
import { profilePath } from './kinds/seccomp-forms.ts';
import type { ResourceKey } from './resource.ts';
import { shellWord } from './text/shell-word.ts';

/** Those that are mounted. */
export function bindSources({ volumes }: Pick<ContainerSpec, 'volumes'>): string[] {
  return volumes.flatMap(({ type, source }) => (type === 'bind' && source !== null ? [source] : []));
}

const FILE_ENDING =
  /\.(conf|cnf|cfg|ini|ya?ml|json|toml|env|xml|sh|py|js|php|lua|sql|txt|html?|properties|crt|pem|key|cert|pub|htpasswd|log|db|sqlite3?|sock|socket)$/i;

/** True for a path with an ending of files: a directory of such a name is never what was meant. */
export const isFileName = (path: string): boolean => FILE_ENDING.test(path);

/** What a person types where a bind source is missing. */
export function missingBindHint(source: string): string {
  const path = shellWord(source);
  if (isFileName(source)) return `Correct the path in the manifest, or create the file ${path}.`;
  return `Create it with \`mkdir -p ${path}\`, or write \`create: true\` at that mount.`;
}

/** Those that are read for a start: what variables come from, and the seccomp profile. */
export function filesReadAtStart(spec: Pick<ContainerSpec, 'envFile' | 'env' | 'seccomp'>): string[] {
  const secrets = Object.values(spec.env).flatMap((value) => (typeof value === 'object' ? [value.fromFile] : []));
  return [...spec.envFile, ...secrets, profilePath(spec)].flatMap((path) => path ?? []);
}

/** Containers that name a file. */
export function usersOf({ resources }: DesiredState, path: string): ResourceKey[] {
  return [...resources.values()].flatMap(({ kind, key, spec }) => {
    const container = spec as ContainerSpec;
    const names = kind === 'container' && [...bindSources(container), ...filesReadAtStart(container)].includes(path);
    return names ? [key] : [];
  });
}
