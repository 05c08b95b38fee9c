/** Containers that are in control groups of the host: what is said of them. */
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { Condition } from '../../model/status/phases.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';

export interface SharingContainer {
  readonly name: string;
  readonly hierarchies: readonly string[];
}

const WAY_OUT = 'its next run has its own where this host lets it (`tsdocker doctor`)';

/** @param hierarchies in which it has no group of its own */
export function sharedGroups(hierarchies: readonly string[]): Condition[] {
  if (hierarchies.length === 0) return [];
  const message = `it shares control groups of the host (${hierarchies.join(', ')}): ${WAY_OUT}`;
  return [{ type: 'SharedGroups', status: true, reason: 'NoOwnGroup', message }];
}

/** All that run, for `tsdocker doctor`. */
export function sharingContainers({
  containers,
  exec,
}: {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly exec: Pick<ExecDriver, 'sharedGroups'>;
}): readonly SharingContainer[] {
  return containers.all().flatMap(({ id, engineName }) => {
    const hierarchies = exec.sharedGroups(id);
    return hierarchies.length === 0 ? [] : [{ name: engineName, hierarchies }];
  });
}
