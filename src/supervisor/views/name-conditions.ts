/** Conditions of a container about the names and addresses that it has of others. Pure. */
import type { Condition } from '../../model/status/phases.ts';
import { MAX_PEERS } from '../../reconcile/names/peer-index.ts';

/** Whoever is looked for by name and is not among those of the hosts file is unknown there. */
export function namesLeftOut(count: number): Condition[] {
  if (count === 0) return [];
  const message = `/etc/hosts names ${MAX_PEERS} others of its network, its own app first; ${count} more are left out: link those that it needs`;
  return [{ type: 'NamesLeftOut', status: true, reason: 'TooManyPeers', message }];
}

/** What `why` says of them: what it finds by a name may not be what is there. */
export function namesAmiss(conditions: readonly Condition[]): string[] {
  return conditions
    .filter(({ type, status }) => status && (type === 'StaleLinks' || type === 'NamesLeftOut'))
    .map(({ message }) => message);
}
