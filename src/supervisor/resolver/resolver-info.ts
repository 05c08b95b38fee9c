import type { ResolverInfo } from '../../api/views/host-views.ts';
import type { ResolverView } from './resolver-service.ts';

/** What `info` says of the resolver. */
export function resolverInfo({ state, pid, sandboxes, relays, restarts, stats, problem }: ResolverView): ResolverInfo {
  const memoryBytes = stats?.residentBytes ?? null;
  return { state, pid, containers: sandboxes, ports: relays, restarts, memoryBytes, problem };
}
