import type { ContainerSpec } from './container.ts';

/** The file that the field names, if any. */
export function profilePath({ seccomp }: Pick<ContainerSpec, 'seccomp'>): string | null {
  return seccomp === 'unconfined' ? null : seccomp;
}
