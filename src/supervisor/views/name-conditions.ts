/** Conditions of a container about its names and addresses of other containers. Pure. */
import type { Condition } from '../../model/status/phases.ts';
import { MAX_PEERS } from '../../reconcile/names/peer-index.ts';

/** Returns the condition of a container whose hosts file lacks `count` names of its network. */
export function namesLeftOut(count: number): Condition[] {
  if (count === 0) return [];
  const message = `/etc/hosts names ${MAX_PEERS} others of its network, its own app first; ${count} more are left out: link those that it needs`;
  return [{ type: 'NamesLeftOut', status: true, reason: 'TooManyPeers', message }];
}

/** Returns the condition of a container whose names the resolver does not answer. @param problem why; null where it does */
export function namesUnanswered(problem: string | null): Condition[] {
  if (problem === null) return [];
  const message = `names of other containers are not answered at 127.0.0.11: ${problem}`;
  return [{ type: 'NamesUnanswered', status: true, reason: 'NoResolver', message }];
}

const ABOUT_NAMES: readonly Condition['type'][] = ['StaleLinks', 'NamesLeftOut', 'NamesUnanswered'];

/** Returns the messages that `why` shows for stale or missing names. */
export function namesAmiss(conditions: readonly Condition[]): string[] {
  return conditions.filter(({ type, status }) => status && ABOUT_NAMES.includes(type)).map(({ message }) => message);
}
