import type { ContainerSpec } from './container.ts';

type WithFilter = Pick<ContainerSpec, 'seccomp'>;

/** The profile that stands in the field itself, as JSON. */
export function profileText({ seccomp }: WithFilter): string | null {
  return seccomp?.startsWith('{') ? seccomp : null;
}

/** The file that the field names, if any. */
export function profilePath(spec: WithFilter): string | null {
  return spec.seccomp === 'unconfined' || profileText(spec) !== null ? null : spec.seccomp;
}
